// Package gitops puts Ambit's objects under Argo CD and Flux, as far as both are libraries: Argo CD's application controller, whole, against the
// cluster of KUBECONFIG, on which Ambit is installed, and the library by which Flux tells health.
package gitops

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/controller"
	"github.com/argoproj/argo-cd/v3/controller/sharding"
	argo "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	appclientset "github.com/argoproj/argo-cd/v3/pkg/client/clientset/versioned"
	"github.com/argoproj/argo-cd/v3/reposerver/apiclient"
	"github.com/argoproj/argo-cd/v3/reposerver/repository"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	cacheutil "github.com/argoproj/argo-cd/v3/util/cache"
	appstatecache "github.com/argoproj/argo-cd/v3/util/cache/appstate"
	"github.com/argoproj/argo-cd/v3/util/git"
	utilio "github.com/argoproj/argo-cd/v3/util/io"
	kubeutil "github.com/argoproj/argo-cd/v3/util/kube"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

const (
	argoNamespace = "argocd"
	patience      = 3 * time.Minute
	settle        = 250 * time.Millisecond
)

// checks is where users find the health checks.
var checks = filepath.Join("..", "..", "gitops", "argocd")

// examples is the tree that users can point Argo CD at.
var examples = filepath.Join("..", "..", "examples", "gitops")

// cluster is the one that Ambit is on, with Argo CD's application controller at work on it.
type cluster struct {
	config     *rest.Config
	kube       kubernetes.Interface
	dynamic    dynamic.Interface
	discovery  discovery.DiscoveryInterface
	apps       appclientset.Interface
	repository *repositories
}

var (
	once    sync.Once
	started *cluster
)

// onCluster gives the cluster, after the first call has started Argo CD.
func onCluster(t *testing.T) *cluster {
	t.Helper()
	once.Do(func() { started = startArgoCD(t) })
	require.NotNil(t, started, "Argo CD did not start")
	return started
}

func startArgoCD(t *testing.T) *cluster {
	kubeconfig := os.Getenv("KUBECONFIG")
	require.NotEmpty(t, kubeconfig, "KUBECONFIG names the cluster")
	// Takes https://kubernetes.default.svc for the cluster of KUBECONFIG, as Argo CD's own developers run it.
	require.NoError(t, os.Setenv(argo.EnvVarFakeInClusterConfig, "true"))
	logrus.SetOutput(os.Stdout)
	logrus.SetLevel(logrus.WarnLevel)

	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	require.NoError(t, argo.SetK8SConfigDefaults(config))
	c := &cluster{
		config:     config,
		kube:       kubernetes.NewForConfigOrDie(config),
		dynamic:    dynamic.NewForConfigOrDie(config),
		discovery:  discovery.NewDiscoveryClientForConfigOrDie(config),
		apps:       appclientset.NewForConfigOrDie(config),
		repository: &repositories{root: t.TempDir()},
	}
	c.installDefinitions(t)
	c.configure(t)

	// As argocd-application-controller does it, but for Redis, and the repository server, in whose place are folders.
	ctx := context.Background()
	manager := settings.NewSettingsManager(ctx, c.kube, argoNamespace)
	app, err := controller.NewApplicationController(
		argoNamespace, manager, c.kube, c.apps, c.repository, nil,
		appstatecache.NewCache(cacheutil.NewCache(cacheutil.NewInMemoryCache(time.Hour)), time.Hour),
		kubeutil.NewKubectl(),
		10*time.Second, 0, 0, // resync, hard resync, jitter
		time.Second, nil, // self-heal
		0, time.Minute, // sync timeout, grace for repository errors
		0, 0, nil, nil, nil, // metrics, on a free port
		20, true, // parallelism, health kept in the Application
		sharding.NewClusterSharding(nil, 0, 1, common.DefaultShardingAlgorithm),
		nil, nil, false, false,
		normalizers.IgnoreNormalizerOpts{}, nil, false)
	require.NoError(t, err)
	go app.Run(ctx, 10, 10, 0)
	return c
}

// installDefinitions installs Argo CD's CRDs, which test-k3s/bin/gitops puts beside the program.
func (c *cluster) installDefinitions(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(os.Args[0]), "crds", "*-crd.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 3, "Argo CD's CRDs beside %s", os.Args[0])
	definitions := c.dynamic.Resource(kind("apiextensions.k8s.io", "v1", "customresourcedefinitions"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		definition := object(t, string(text))
		_, err = definitions.Apply(context.Background(), definition.GetName(), definition, metav1.ApplyOptions{FieldManager: "test", Force: true})
		require.NoError(t, err)
		eventually(t, definition.GetName()+" is established", func(ctx context.Context) error {
			found, err := definitions.Get(ctx, definition.GetName(), metav1.GetOptions{})
			if err != nil {
				return err
			}
			if !conditionIs(found, "Established", "True") {
				return fmt.Errorf("not established")
			}
			return nil
		})
	}
}

// configure writes Argo CD's settings, with the health checks as the guide says to put them there.
func (c *cluster) configure(t *testing.T) {
	health := map[string]string{"application.resourceTrackingMethod": string(argo.TrackingMethodAnnotation)}
	for _, kind := range []string{"AmbientMesh", "MeshEnrollment", "ClusterMeshEnrollment"} {
		script, err := os.ReadFile(filepath.Join(checks, "ambit.dev", kind, "health.lua"))
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		health["resource.customizations.health.ambit.dev_"+kind] = string(script)
	}
	part := map[string]string{"app.kubernetes.io/part-of": "argocd"}
	create(t, func() error {
		_, err := c.kube.CoreV1().Namespaces().Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: argoNamespace}}, metav1.CreateOptions{})
		return err
	})
	create(t, func() error {
		_, err := c.kube.CoreV1().ConfigMaps(argoNamespace).Create(context.Background(),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: common.ArgoCDConfigMapName, Labels: part}, Data: health}, metav1.CreateOptions{})
		return err
	})
	create(t, func() error {
		_, err := c.kube.CoreV1().Secrets(argoNamespace).Create(context.Background(),
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: common.ArgoCDSecretName, Labels: part}, Data: map[string][]byte{"server.secretkey": []byte("test")}}, metav1.CreateOptions{})
		return err
	})
	everything := []argo.ClusterResourceRestrictionItem{{Group: "*", Kind: "*"}}
	create(t, func() error {
		_, err := c.apps.ArgoprojV1alpha1().AppProjects(argoNamespace).Create(context.Background(), &argo.AppProject{
			ObjectMeta: metav1.ObjectMeta{Name: "default"},
			Spec: argo.AppProjectSpec{
				SourceRepos:              []string{"*"},
				Destinations:             []argo.ApplicationDestination{{Server: "*", Namespace: "*"}},
				ClusterResourceWhitelist: everything,
			},
		}, metav1.CreateOptions{})
		return err
	})
}

// track changes by which marks Argo CD knows its objects, as an administrator does.
func (c *cluster) track(t *testing.T, method argo.TrackingMethod) {
	_, err := c.kube.CoreV1().ConfigMaps(argoNamespace).Patch(context.Background(), common.ArgoCDConfigMapName, types.MergePatchType,
		[]byte(`{"data":{"application.resourceTrackingMethod":"`+string(method)+`"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
}

// repositories stands in for Argo CD's repository server and Git: a folder for each path, made into manifests by the repository server's own code.
type repositories struct {
	apiclient.RepoServerServiceClient
	root string
	lock sync.Mutex
}

func (r *repositories) NewRepoServerClient() (utilio.Closer, apiclient.RepoServerServiceClient, error) {
	return utilio.NopCloser, r, nil
}

// commit makes the folder hold just these files.
func (r *repositories) commit(t *testing.T, path string, files map[string]string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	folder := filepath.Join(r.root, path)
	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
	}
}

func (r *repositories) GenerateManifest(ctx context.Context, request *apiclient.ManifestRequest, _ ...grpc.CallOption) (*apiclient.ManifestResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	folder := filepath.Join(r.root, request.ApplicationSource.Path)
	revision, err := digest(folder)
	if err != nil {
		return nil, err
	}
	response, err := repository.GenerateManifests(ctx, folder, r.root, revision, request, false, git.NoopCredsStore{}, resource.MustParse("0"), utilio.NewRandomizedTempPaths(r.root))
	if err != nil {
		return nil, err
	}
	response.Revision = revision
	response.Namespace = request.Namespace
	return response, nil
}

// digest is a folder's revision: the same for the same content, as long as Git's.
func digest(folder string) (string, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	sum := sha1.New()
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d %s", file.Name(), len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// application is one that Argo CD syncs, and all that was seen of it.
type application struct {
	*cluster
	t    *testing.T
	name string
	seen *record
}

// record is what was seen of an Application, one entry for each change, with what was last committed before it.
type record struct {
	lock    sync.Mutex
	entries []argo.ApplicationStatus
}

func (r *record) add(status argo.ApplicationStatus) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.entries = append(r.entries, status)
}

func (r *record) mark() int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return len(r.entries)
}

func (r *record) last() argo.ApplicationStatus {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.entries) == 0 {
		return argo.ApplicationStatus{}
	}
	return r.entries[len(r.entries)-1]
}

func (r *record) since(mark int) []argo.ApplicationStatus {
	r.lock.Lock()
	defer r.lock.Unlock()
	return slices.Clone(r.entries[mark:])
}

// apply creates an Application of a folder's, with the files in it, and records all that becomes of it until the test ends.
func (c *cluster) apply(t *testing.T, name string, files map[string]string, change func(*argo.Application)) *application {
	app := &application{cluster: c, t: t, name: name, seen: &record{}}
	c.repository.commit(t, name, files)
	wanted := &argo.Application{
		ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{argo.ResourcesFinalizerName}},
		Spec: argo.ApplicationSpec{
			Project:     "default",
			Source:      &argo.ApplicationSource{RepoURL: "https://git.example.com/shop/deploy.git", Path: name, TargetRevision: "main"},
			Destination: argo.ApplicationDestination{Server: argo.KubernetesInternalAPIServerAddr, Namespace: name},
			SyncPolicy:  &argo.SyncPolicy{Automated: &argo.SyncPolicyAutomated{Prune: new(true), SelfHeal: new(true)}},
		},
	}
	if change != nil {
		change(wanted)
	}
	created, err := c.apps.ArgoprojV1alpha1().Applications(argoNamespace).Create(context.Background(), wanted, metav1.CreateOptions{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	watcher, err := c.apps.ArgoprojV1alpha1().Applications(argoNamespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + name, ResourceVersion: created.ResourceVersion,
	})
	require.NoError(t, err)
	go func() {
		for event := range watcher.ResultChan() {
			if changed, ok := event.Object.(*argo.Application); ok {
				app.seen.add(changed.Status)
			}
		}
	}()
	return app
}

// push commits, tells Argo CD as a webhook does, and waits until what was committed is synced.
func (a *application) push(files map[string]string) {
	a.t.Helper()
	a.repository.commit(a.t, a.name, files)
	a.refresh("normal")
	a.awaitSynced()
}

func (a *application) refresh(how string) {
	a.t.Helper()
	_, err := a.apps.ArgoprojV1alpha1().Applications(argoNamespace).Patch(context.Background(), a.name, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"argocd.argoproj.io/refresh":"`+how+`"}}}`), metav1.PatchOptions{})
	require.NoError(a.t, err)
}

func (a *application) get() *argo.Application {
	a.t.Helper()
	found, err := a.apps.ArgoprojV1alpha1().Applications(argoNamespace).Get(context.Background(), a.name, metav1.GetOptions{})
	require.NoError(a.t, err)
	return found
}

func (a *application) revision() string {
	a.t.Helper()
	a.repository.lock.Lock()
	defer a.repository.lock.Unlock()
	revision, err := digest(filepath.Join(a.repository.root, a.name))
	require.NoError(a.t, err)
	return revision
}

func (a *application) awaitSynced() {
	a.t.Helper()
	revision := a.revision()
	a.await("is synced to what was committed", func(status argo.ApplicationStatus) bool {
		return status.Sync.Status == argo.SyncStatusCodeSynced && status.Sync.Revision == revision &&
			status.OperationState != nil && status.OperationState.Phase.Successful() &&
			status.OperationState.SyncResult != nil && status.OperationState.SyncResult.Revision == revision
	})
}

func (a *application) awaitHealth(wanted string) {
	a.t.Helper()
	a.await("is "+wanted, func(status argo.ApplicationStatus) bool {
		return string(status.Health.Status) == wanted && status.Sync.Status == argo.SyncStatusCodeSynced
	})
}

// await waits until the last of what was recorded holds, so that what comes after it in the record came after it.
func (a *application) await(what string, holds func(argo.ApplicationStatus) bool) {
	a.t.Helper()
	eventually(a.t, "Application "+a.name+" "+what, func(context.Context) error {
		last := a.seen.last()
		if !holds(last) {
			return fmt.Errorf("it is %s", describe(last))
		}
		return nil
	})
}

func describe(status argo.ApplicationStatus) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s and %s at %s", status.Sync.Status, status.Health.Status, status.Sync.Revision)
	if operation := status.OperationState; operation != nil {
		fmt.Fprintf(&text, ", its last operation %s: %s", operation.Phase, operation.Message)
	}
	for _, each := range status.Resources {
		health := ""
		if each.Health != nil {
			health = string(each.Health.Status) + " " + each.Health.Message
		}
		fmt.Fprintf(&text, "; %s %s/%s is %s %s", each.Kind, each.Namespace, each.Name, each.Status, health)
	}
	for _, each := range status.Conditions {
		fmt.Fprintf(&text, "; %s: %s", each.Type, each.Message)
	}
	return text.String()
}

// requireQuiet fails where Argo CD, since then, has found drift or anything wrong, or has begun to do something.
func (a *application) requireQuiet(since int) {
	a.t.Helper()
	seen := a.seen.since(since - 1)
	require.NotEmpty(a.t, seen)
	for _, status := range seen {
		require.Equal(a.t, argo.SyncStatusCodeSynced, status.Sync.Status, "a status of %s: %s", a.name, describe(status))
		require.NotEqual(a.t, "Degraded", string(status.Health.Status), "a status of %s: %s", a.name, describe(status))
		require.Empty(a.t, status.Conditions, "a status of %s: %s", a.name, describe(status))
		require.Equal(a.t, seen[0].OperationState.StartedAt, status.OperationState.StartedAt, "%s was synced again: %s", a.name, describe(status))
	}
}

// delete deletes the Application with all that it brought, as `argocd app delete` does.
func (a *application) delete() {
	a.t.Helper()
	err := a.apps.ArgoprojV1alpha1().Applications(argoNamespace).Delete(context.Background(), a.name, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		require.NoError(a.t, err)
	}
	eventually(a.t, "Application "+a.name+" is gone", func(ctx context.Context) error {
		found, err := a.apps.ArgoprojV1alpha1().Applications(argoNamespace).Get(ctx, a.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("it is %s", describe(found.Status))
	})
}

func create(t *testing.T, create func() error) {
	t.Helper()
	if err := create(); !apierrors.IsAlreadyExists(err) {
		require.NoError(t, err)
	}
}

func eventually(t *testing.T, what string, holds func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(context.Background(), settle, patience, true, func(ctx context.Context) (bool, error) {
		last = holds(ctx)
		return last == nil, nil
	})
	require.NoError(t, err, "waited until %s; %v", what, last)
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	json, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	found := &unstructured.Unstructured{}
	require.NoError(t, found.UnmarshalJSON(json))
	return found
}
