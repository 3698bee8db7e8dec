package gitops

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	argo "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"
)

const (
	redirection = "ambient.istio.io/redirection"
	instance    = "app.kubernetes.io/instance"
	tracking    = "argocd.argoproj.io/tracking-id"
)

var (
	enrollments = kind("ambit.dev", "v1alpha1", "meshenrollments")
	gateways    = kind("gateway.networking.k8s.io", "v1", "gateways")
	pods        = kind("", "v1", "pods")
	namespaces  = kind("", "v1", "namespaces")
	configMaps  = kind("", "v1", "configmaps")
)

func kind(group, version, resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
}

// workload is what an application has beside its enrollment: a Namespace of its own, a server with a Service, and a pod that nothing owns.
func workload(name string, labels string) map[string]string {
	return map[string]string{
		"namespace.yaml": fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {team: shop%s}}
`, name, labels),
		"server.yaml": fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: server}
---
apiVersion: v1
kind: Service
metadata: {namespace: %[1]s, name: server}
spec:
  selector: {app: server}
  ports: [{name: http, port: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: %[1]s, name: server}
spec:
  replicas: 2
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      serviceAccountName: server
      terminationGracePeriodSeconds: 1
      containers:
      - name: sample
        image: ghcr.io/ambit-mesh/sample:0.1.0
        imagePullPolicy: Never
        args: [serve, "8080"]
        readinessProbe: {httpGet: {port: 8080, path: /ready}, periodSeconds: 1}
`, name),
		"client.yaml": fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {namespace: %s, name: client, labels: {app: client}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: sample
    image: ghcr.io/ambit-mesh/sample:0.1.0
    imagePullPolicy: Never
    command: [/bin/sleep, "86400"]
`, name),
	}
}

// with gives the same files and one more.
func with(files map[string]string, name, text string) map[string]string {
	all := map[string]string{name: text}
	for key, value := range files {
		all[key] = value
	}
	return all
}

func enrollment(namespace, spec string) string {
	return fmt.Sprintf(`
apiVersion: ambit.dev/v1alpha1
kind: MeshEnrollment
metadata: {namespace: %s, name: default}
spec: {%s}
`, namespace, spec)
}

// TestApplicationsStaySyncedWhileEnrollmentsMove takes a namespace, which Argo CD owns, from no mesh to L4 and L7 and out again by what is committed.
// Argo CD has to do nothing but to sync each commit once.
func TestApplicationsStaySyncedWhileEnrollmentsMove(t *testing.T) {
	ways := map[string]func(*argo.Application){
		"client-side-diff": nil,
		"server-side-diff": func(app *argo.Application) {
			app.Annotations = map[string]string{"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}
		},
		"server-side-diff-and-apply": func(app *argo.Application) {
			app.Annotations = map[string]string{"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}
			app.Spec.SyncPolicy.SyncOptions = argo.SyncOptions{"ServerSideApply=true"}
		},
	}
	c := onCluster(t)
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			moves(t, c, name, way)
		})
	}
}

func moves(t *testing.T, c *cluster, name string, way func(*argo.Application)) {
	files := workload(name, "")
	app := c.apply(t, name, with(files, "enrollment.yaml", enrollment(name, "stage: None")), way)
	states := c.observe(t, name)
	app.awaitSynced()
	app.awaitHealth("Healthy")

	step := func(spec, phase, stage string) {
		t.Helper()
		app.push(with(files, "enrollment.yaml", enrollment(name, spec)))
		mark := app.seen.mark()
		c.awaitEnrollment(t, name, phase, stage)
		app.awaitHealth("Healthy")
		app.requireQuiet(mark)
	}
	step("stage: L4, rollout: {steps: [{pods: 30%, bake: 3s}, {pods: 100%, bake: 3s}]}", "Done", "L4")
	require.Equal(t, 3, c.captured(t, name))

	// Pods come and go.
	mark := app.seen.mark()
	require.NoError(t, c.dynamic.Resource(pods).Namespace(name).DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=server"}))
	eventually(t, "new pods are captured", func(context.Context) error {
		if captured := c.captured(t, name); captured != 3 {
			return fmt.Errorf("%d are", captured)
		}
		return nil
	})
	c.awaitEnrollment(t, name, "Done", "L4")
	app.awaitHealth("Healthy")
	app.requireQuiet(mark)

	step("stage: L7, waypoint: {name: gate}", "Done", "L7")
	before := c.requireUnmarked(t, name, "Gateway", "Deployment", "Service", "ServiceAccount", "Pod")

	// A hard refresh, and a sync by hand that prunes, find nothing of the waypoint to take away.
	app.refresh("hard")
	require.Equal(t, []string{
		"Deployment server", "MeshEnrollment default", "Namespace " + name, "Pod client", "Service server", "ServiceAccount server",
	}, app.resources())
	app.syncByHand()
	app.awaitHealth("Healthy")
	require.Equal(t, before, c.requireUnmarked(t, name, "Gateway", "Deployment", "Service", "ServiceAccount", "Pod"))

	app.push(with(files, "enrollment.yaml", enrollment(name, "stage: L4, paused: true, waypoint: {name: gate}")))
	app.awaitHealth("Suspended")
	step("stage: L4, paused: false, waypoint: {name: gate}", "Done", "L4")

	// Without its enrollment the namespace leaves.
	app.push(files)
	eventually(t, "the enrollment is pruned and no pod is captured", func(ctx context.Context) error {
		_, err := c.dynamic.Resource(enrollments).Namespace(name).Get(ctx, "default", metav1.GetOptions{})
		if captured := c.captured(t, name); !apierrors.IsNotFound(err) || captured != 0 {
			return fmt.Errorf("%d pods are captured; %v", captured, err)
		}
		return nil
	})
	app.awaitHealth("Healthy")

	// And an Application with its enrollment can be deleted with all that it brought.
	app.push(with(files, "enrollment.yaml", enrollment(name, "stage: L4")))
	c.awaitEnrollment(t, name, "Done", "L4")
	app.delete()
	c.requireGone(t, name)
	states.requireSeen("Baking", "Done", "Paused")
}

// TestChildrenCarryNoMarksWhereLabelsTrack is for installations that know their objects by a label, which tools copy most easily.
func TestChildrenCarryNoMarksWhereLabelsTrack(t *testing.T) {
	c := onCluster(t)
	for _, method := range []argo.TrackingMethod{argo.TrackingMethodLabel, argo.TrackingMethodAnnotationAndLabel} {
		t.Run(string(method), func(t *testing.T) {
			c.track(t, method)
			defer c.track(t, argo.TrackingMethodAnnotation)
			name := "tracked-by-" + strings.ReplaceAll(string(method), "+", "-")
			files := with(workload(name, ""), "enrollment.yaml", enrollment(name, "stage: L7, waypoint: {name: gate}"))
			// A waypoint of the user's own, which is tracked, and asks for labels on what is made for it.
			app := c.apply(t, name, with(files, "gateway.yaml", fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: %s, name: own, labels: {istio.io/waypoint-for: service}}
spec:
  gatewayClassName: ambit-waypoint
  infrastructure: {labels: {app.kubernetes.io/instance: %s, team: shop}, annotations: {argocd.argoproj.io/tracking-id: "x:/:y/z"}}
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
`, name, name)), nil)
			app.awaitSynced()
			mark := app.seen.mark()
			c.awaitEnrollment(t, name, "Done", "L7")
			app.awaitHealth("Healthy")
			app.requireQuiet(mark)
			found, err := c.dynamic.Resource(enrollments).Namespace(name).Get(context.Background(), "default", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, name, found.GetLabels()[instance], "Argo CD marks what it applies")
			before := c.requireUnmarked(t, name, "Gateway", "Deployment", "Service", "ServiceAccount", "Pod")
			app.syncByHand()
			app.awaitHealth("Healthy")
			require.Equal(t, before, c.requireUnmarked(t, name, "Gateway", "Deployment", "Service", "ServiceAccount", "Pod"))
			app.delete()
			c.requireGone(t, name)
		})
	}
}

// TestNamespacesThatArgoLabels are enrolled by their label alone. The mirror of it is the operator's, and in no Application.
func TestNamespacesThatArgoLabels(t *testing.T) {
	c := onCluster(t)
	for _, diff := range []string{"ServerSideDiff=false", "ServerSideDiff=true"} {
		t.Run(diff, func(t *testing.T) {
			t.Parallel()
			name := "labelled-" + strings.ToLower(strings.ReplaceAll(diff, "=", "-"))
			files := workload(name, "")
			delete(files, "namespace.yaml")
			app := c.apply(t, name, files, func(app *argo.Application) {
				app.Annotations = map[string]string{"argocd.argoproj.io/compare-options": diff}
				app.Spec.SyncPolicy.SyncOptions = argo.SyncOptions{"CreateNamespace=true"}
				app.Spec.SyncPolicy.ManagedNamespaceMetadata = &argo.ManagedNamespaceMetadata{Labels: map[string]string{"istio.io/dataplane-mode": "ambient"}}
			})
			app.awaitSynced()
			mark := app.seen.mark()
			eventually(t, "the mirror is done", func(ctx context.Context) error { return c.is(ctx, name, "labels", "Done", "L4") })
			app.awaitHealth("Healthy")
			app.refresh("hard")
			app.await("was looked at again", func(argo.ApplicationStatus) bool { return app.get().Annotations[argo.AnnotationKeyRefresh] == "" })
			app.requireQuiet(mark)
			require.Equal(t, 3, c.captured(t, name))
			for _, each := range app.resources() {
				require.NotContains(t, each, "MeshEnrollment")
			}
			app.syncByHand()
			eventually(t, "the mirror is still there", func(ctx context.Context) error { return c.is(ctx, name, "labels", "Done", "L4") })
			app.delete()
			require.NoError(t, c.dynamic.Resource(namespaces).Delete(context.Background(), name, metav1.DeleteOptions{}))
			c.requireGone(t, name)
		})
	}
}

// TestSelfHealTakesBackWhatOthersWrite shows that self-heal is at work in these tests, and that an enrollment follows Git.
func TestSelfHealTakesBackWhatOthersWrite(t *testing.T) {
	t.Parallel()
	c := onCluster(t)
	name := "healed"
	app := c.apply(t, name, with(workload(name, ""), "enrollment.yaml", enrollment(name, "stage: L4")), nil)
	app.awaitSynced()
	c.awaitEnrollment(t, name, "Done", "L4")
	app.awaitHealth("Healthy")
	_, err := c.dynamic.Resource(enrollments).Namespace(name).Patch(context.Background(), "default", types.MergePatchType, []byte(`{"spec":{"stage":"None"}}`), metav1.PatchOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	eventually(t, "the stage is what Git says", func(ctx context.Context) error {
		found, err := c.dynamic.Resource(enrollments).Namespace(name).Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if found.GetGeneration() < 3 {
			return fmt.Errorf("generation %d", found.GetGeneration())
		}
		if stage, _, _ := unstructured.NestedString(found.Object, "spec", "stage"); stage != "L4" {
			return fmt.Errorf("stage %s", stage)
		}
		return nil
	})
	c.awaitEnrollment(t, name, "Done", "L4")
	app.awaitHealth("Healthy")
	require.Equal(t, 3, c.captured(t, name))
	app.delete()
	c.requireGone(t, name)
}

// TestWavesWaitForEnrollments applies what comes after an enrollment once the namespace is in the mesh, and not at all where that cannot be.
func TestWavesWaitForEnrollments(t *testing.T) {
	t.Parallel()
	c := onCluster(t)
	name := "waves"
	wave := func(text, number string) string {
		return strings.Replace(text, "metadata: {", `metadata: {annotations: {argocd.argoproj.io/sync-wave: "`+number+`"}, `, 1)
	}
	after := wave(fmt.Sprintf(`
apiVersion: v1
kind: ConfigMap
metadata: {namespace: %s, name: after}
`, name), "2")
	blocking := fmt.Sprintf(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: %s, name: only-8080}
spec: {podSelector: {}, ingress: [{ports: [{port: 8080}]}]}
`, name)
	files := with(with(workload(name, ""), "enrollment.yaml", wave(enrollment(name, "stage: L4"), "1")), "after.yaml", after)
	files["namespace.yaml"] = wave(files["namespace.yaml"], "-1")

	app := c.apply(t, name, with(files, "blocking.yaml", blocking), func(app *argo.Application) {
		// The operator may hear a moment after Argo CD that what held the enrollment is gone: a sync that comes between them is tried again.
		app.Spec.SyncPolicy.Retry = &argo.RetryStrategy{Limit: 2, Backoff: &argo.Backoff{Duration: "5s"}}
	})
	app.await("has failed, as its enrollment is held", func(status argo.ApplicationStatus) bool {
		return status.OperationState != nil && status.OperationState.Phase.Failed() && string(status.Health.Status) == "Degraded"
	})
	_, err := c.dynamic.Resource(configMaps).Namespace(name).Get(context.Background(), "after", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "what comes after a held enrollment: %v", err)

	app.push(files)
	found, err := c.dynamic.Resource(configMaps).Namespace(name).Get(context.Background(), "after", metav1.GetOptions{})
	require.NoError(t, err)
	moved, err := c.dynamic.Resource(enrollments).Namespace(name).Get(context.Background(), "default", metav1.GetOptions{})
	require.NoError(t, err)
	ready, err := time.Parse(time.RFC3339, transition(moved, "Ready"))
	require.NoError(t, err)
	require.False(t, found.GetCreationTimestamp().Time.Before(ready), "after %s, ready %s", found.GetCreationTimestamp(), ready)
	app.awaitHealth("Healthy")
	app.delete()
	c.requireGone(t, name)
}

// TestTheExampleIsSyncedAsItIs points Argo CD at the tree that users are given, with an application beside it and its bake times of minutes cut.
func TestTheExampleIsSyncedAsItIs(t *testing.T) {
	t.Parallel()
	c := onCluster(t)
	text, err := os.ReadFile(filepath.Join(examples, "argocd", "shop.yaml"))
	require.NoError(t, err)
	var example argo.Application
	require.NoError(t, yaml.UnmarshalStrict(text, &example))
	name := example.Name
	require.Equal(t, name, example.Spec.Source.Path)
	files := workload(name, "")
	delete(files, "namespace.yaml")
	tree, err := filepath.Glob(filepath.Join(examples, name, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, tree)
	for _, file := range tree {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		files[filepath.Base(file)] = regexp.MustCompile(`bake: \d+m`).ReplaceAllString(string(text), "bake: 2s")
	}

	app := c.apply(t, name, files, func(app *argo.Application) { app.Spec = example.Spec })
	app.awaitSynced()
	c.awaitEnrollment(t, name, "Done", "L4")
	app.awaitHealth("Healthy")
	require.Equal(t, 3, c.captured(t, name))
	app.delete()
	require.NoError(t, c.dynamic.Resource(namespaces).Delete(context.Background(), name, metav1.DeleteOptions{}))
	c.requireGone(t, name)
}

func (a *application) resources() []string {
	a.t.Helper()
	var names []string
	for _, each := range a.get().Status.Resources {
		names = append(names, each.Kind+" "+each.Name)
	}
	slices.Sort(names)
	return names
}

// syncByHand syncs all, with pruning, though nothing is to do.
func (a *application) syncByHand() {
	a.t.Helper()
	before := a.get().Status.OperationState.StartedAt
	app := a.get()
	app.Operation = &argo.Operation{Sync: &argo.SyncOperation{Revision: "main", Prune: true, SyncOptions: app.Spec.SyncPolicy.SyncOptions}}
	eventually(a.t, "a sync is asked for", func(ctx context.Context) error {
		app.ResourceVersion = a.get().ResourceVersion
		_, err := a.apps.ArgoprojV1alpha1().Applications(argoNamespace).Update(ctx, app, metav1.UpdateOptions{})
		return err
	})
	a.await("is synced by hand", func(status argo.ApplicationStatus) bool {
		return status.OperationState != nil && status.OperationState.StartedAt.After(before.Time) && status.OperationState.Phase.Successful() &&
			status.Sync.Status == argo.SyncStatusCodeSynced
	})
}

// captured counts the namespace's pods that are in the mesh.
func (c *cluster) captured(t *testing.T, namespace string) int {
	t.Helper()
	list, err := c.dynamic.Resource(pods).Namespace(namespace).List(context.Background(), metav1.ListOptions{})
	require.NoError(t, err)
	count := 0
	for _, pod := range list.Items {
		if pod.GetAnnotations()[redirection] == "enabled" && pod.GetDeletionTimestamp() == nil {
			count++
		}
	}
	return count
}

func (c *cluster) awaitEnrollment(t *testing.T, namespace, phase, stage string) {
	t.Helper()
	eventually(t, "MeshEnrollment "+namespace+"/default is "+phase+" at "+stage, func(ctx context.Context) error {
		return c.is(ctx, namespace, "default", phase, stage)
	})
}

func (c *cluster) is(ctx context.Context, namespace, name, phase, stage string) error {
	found, err := c.dynamic.Resource(enrollments).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	observed, _, _ := unstructured.NestedInt64(found.Object, "status", "observedGeneration")
	isPhase, _, _ := unstructured.NestedString(found.Object, "status", "phase")
	isStage, _, _ := unstructured.NestedString(found.Object, "status", "stage")
	if observed != found.GetGeneration() || isPhase != phase || isStage != stage {
		return fmt.Errorf("generation %d of %d is %s at %s: %v", observed, found.GetGeneration(), isPhase, isStage, found.Object["status"])
	}
	return nil
}

// requireUnmarked fails where something that Ambit made in the namespace carries a mark of Argo CD's, or where a kind is not among it. It gives the
// identities of those objects that outlive pods.
func (c *cluster) requireUnmarked(t *testing.T, namespace string, kinds ...string) map[string]types.UID {
	t.Helper()
	all := map[types.UID]unstructured.Unstructured{}
	lists, err := c.discovery.ServerPreferredResources()
	require.NoError(t, err)
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, each := range list.APIResources {
			if !each.Namespaced || !slices.Contains(each.Verbs, "list") || each.Kind == "Event" {
				continue
			}
			found, err := c.dynamic.Resource(version.WithResource(each.Name)).Namespace(namespace).List(context.Background(), metav1.ListOptions{})
			require.NoError(t, err, each.Name)
			for _, item := range found.Items {
				all[item.GetUID()] = item
			}
		}
	}
	var made func(item unstructured.Unstructured) bool
	made = func(item unstructured.Unstructured) bool {
		for _, owner := range item.GetOwnerReferences() {
			if parent, ok := all[owner.UID]; owner.Kind == "MeshEnrollment" || owner.Kind == "Gateway" || ok && made(parent) {
				return true
			}
		}
		return item.GetLabels()["app.kubernetes.io/managed-by"] == "ambit"
	}
	identities := map[string]types.UID{}
	for _, item := range all {
		if !made(item) {
			continue
		}
		text := item.GetKind() + " " + item.GetName()
		if item.GetKind() != "Pod" && item.GetKind() != "EndpointSlice" {
			identities[text] = item.GetUID()
		}
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return kind == item.GetKind() })
		require.NotContains(t, item.GetLabels(), instance, text)
		for key := range item.GetAnnotations() {
			require.False(t, strings.HasPrefix(key, "argocd.argoproj.io/"), "%s has annotation %s", text, key)
		}
		require.NotContains(t, item.GetAnnotations(), tracking, text)
	}
	require.Empty(t, kinds, "kinds that Ambit made nothing of")
	return identities
}

func (c *cluster) requireGone(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "namespace "+namespace+" is gone", func(ctx context.Context) error {
		found, err := c.dynamic.Resource(namespaces).Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("it is there: %v", found.Object["status"])
	})
}

// states is every state in which a namespace's enrollment was seen.
type states struct {
	t      *testing.T
	lock   sync.Mutex
	phases map[string]int
	wrong  []string
}

// observe looks at the namespace's enrollment again and again as Argo CD and as Flux do.
func (c *cluster) observe(t *testing.T, namespace string) *states {
	script, err := os.ReadFile(filepath.Join(checks, "ambit.dev", "MeshEnrollment", "health.lua"))
	require.NoError(t, err)
	overrides := lua.ResourceHealthOverrides{"ambit.dev/MeshEnrollment": argo.ResourceOverride{HealthLua: string(script)}}
	seen := &states{t: t, phases: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go wait.UntilWithContext(ctx, func(ctx context.Context) {
		if found, err := c.dynamic.Resource(enrollments).Namespace(namespace).Get(ctx, "default", metav1.GetOptions{}); err == nil {
			seen.add(found, overrides)
		}
	}, settle)
	return seen
}

func (s *states) add(found *unstructured.Unstructured, overrides health.HealthOverride) {
	s.lock.Lock()
	defer s.lock.Unlock()
	phase, _, _ := unstructured.NestedString(found.Object, "status", "phase")
	s.phases[phase]++
	argo, err := health.GetResourceHealth(found, overrides)
	if err != nil {
		s.wrong = append(s.wrong, fmt.Sprintf("%s: %v", phase, err))
		return
	}
	flux, err := status.Compute(found)
	if err != nil {
		s.wrong = append(s.wrong, fmt.Sprintf("%s: %v", phase, err))
		return
	}
	wanted := kstatusOf[argo.Status]
	if found.GetDeletionTimestamp() != nil {
		wanted = status.TerminatingStatus
	}
	if flux.Status != wanted {
		s.wrong = append(s.wrong, fmt.Sprintf("%s is %s (%s) to Argo CD and %s (%s) to Flux", phase, argo.Status, argo.Message, flux.Status, flux.Message))
	}
}

// requireSeen fails where Argo CD and Flux differed, or one of the phases was never there.
func (s *states) requireSeen(phases ...string) {
	s.t.Helper()
	s.lock.Lock()
	defer s.lock.Unlock()
	s.t.Logf("phases seen, and how many states of each: %v", s.phases)
	require.Empty(s.t, s.wrong)
	for _, phase := range phases {
		require.Contains(s.t, s.phases, phase)
	}
}

func conditionIs(object *unstructured.Unstructured, kind, status string) bool {
	return condition(object, kind)["status"] == status
}

func transition(object *unstructured.Unstructured, kind string) string {
	since, _ := condition(object, kind)["lastTransitionTime"].(string)
	return since
}

func condition(object *unstructured.Unstructured, kind string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, each := range conditions {
		if found, ok := each.(map[string]any); ok && found["type"] == kind {
			return found
		}
	}
	return nil
}
