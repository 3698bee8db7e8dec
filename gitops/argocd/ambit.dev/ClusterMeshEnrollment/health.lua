-- Health of a ClusterMeshEnrollment for Argo CD.
local function condition(type)
  for _, each in ipairs(obj.status.conditions) do
    if each.type == type then
      return each
    end
  end
  return nil
end

if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not looked at it yet"}
end
local stalled = condition("Stalled")
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.reason .. ": " .. stalled.message}
end
local ready = condition("Ready")
if ready == nil then
  return {status = "Progressing", message = "The operator has not looked at it yet"}
end
if ready.status == "True" then
  return {status = "Healthy", message = ready.message}
end
if ready.reason == "Paused" then
  return {status = "Suspended", message = ready.message}
end
return {status = "Progressing", message = ready.message}
