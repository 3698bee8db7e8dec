{{/* Labels of everything that the chart makes. Call with (dict "name" NAME "root" $). */}}
{{- define "ambit.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/part-of: ambit
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* An image's reference. Call with (dict "name" NAME "root" $). */}}
{{- define "ambit.image" -}}
{{ .root.Values.image.registry }}/{{ .name }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* The node's directory of CNI plugins, and that of their configuration. */}}
{{- define "ambit.cniBinDir" -}}
{{ .Values.mesh.cni.binDir | default (eq .Values.platform "k3s" | ternary "/var/lib/rancher/k3s/data/cni" "/opt/cni/bin") }}
{{- end }}
{{- define "ambit.cniConfDir" -}}
{{ .Values.mesh.cni.confDir | default (eq .Values.platform "k3s" | ternary "/var/lib/rancher/k3s/agent/etc/cni/net.d" "/etc/cni/net.d") }}
{{- end }}
