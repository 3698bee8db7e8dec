// Package conformance runs the mesh profiles of the Gateway API's conformance tests against the cluster of KUBECONFIG, on which Ambit is installed.
package conformance

import (
	"context"
	_ "embed"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"
	confv1 "sigs.k8s.io/gateway-api/conformance/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
	"sigs.k8s.io/yaml"
)

const (
	class     = "ambit-waypoint"
	waypoint  = "waypoint"
	manifests = "waypoint.yaml"
	patience  = 2 * time.Minute
)

//go:embed waypoint.yaml
var waypointManifest []byte

// What Ambit claims beside the profiles' core. Those of HTTPRoute are of no mesh profile, but tests of meshes need them too.
var claimed = []features.FeatureName{
	features.SupportMeshClusterIPMatching,
	features.SupportMeshConsumerRoute,
	features.SupportMeshHTTPRouteBackendRequestHeaderModification,
	features.SupportMeshHTTPRouteNamedRouteRule,
	features.SupportMeshHTTPRouteQueryParamMatching,
	features.SupportMeshHTTPRouteRedirectPath,
	features.SupportMeshHTTPRouteRedirectPort,
	features.SupportMeshHTTPRouteRewritePath,
	features.SupportMeshHTTPRouteSchemeRedirect,
	features.SupportHTTPRoute303RedirectStatusCode,
	features.SupportHTTPRoute307RedirectStatusCode,
	features.SupportHTTPRoute308RedirectStatusCode,
	features.SupportHTTPRouteParentRefPort,
	features.SupportHTTPRouteResponseHeaderModification,
}

func TestConformance(t *testing.T) {
	options := conformance.DefaultOptions(t)
	options.ConformanceProfiles = []suite.ConformanceProfileName{
		suite.MeshHTTPConformanceProfileName,
		suite.MeshGRPCConformanceProfileName,
	}
	options.SupportedFeatures = claimed
	options.NamespaceLabels = map[string]string{
		"istio.io/dataplane-mode":         "ambient",
		"istio.io/use-waypoint":           waypoint,
		"istio.io/use-waypoint-namespace": suite.MeshNamespace,
	}
	options.ManifestFS = []fs.FS{&conformance.Manifests, fstest.MapFS{manifests: {Data: waypointManifest}}}
	options.Implementation = confv1.Implementation{
		Organization: "ambit-mesh",
		Project:      "ambit",
		URL:          "https://github.com/ambit-mesh/ambit",
		Version:      "v0.1.0",
		Contact:      []string{"https://github.com/ambit-mesh/ambit/issues"},
	}

	run, err := suite.NewConformanceTestSuite(options)
	require.NoError(t, err)
	// After the suite's own cleanup, so that it is said to have ended.
	t.Cleanup(func() { write(t, run, options.ReportOutputPath) })
	// The suite gives its Gateways a class only where it tests gateways.
	run.Applier.GatewayClass = class
	run.Setup(t, tests.ConformanceTests)
	run.Applier.MustApplyWithCleanup(t, run.Client, run.TimeoutConfig, manifests, run.Cleanup)
	inMesh(t, run.Client)
	require.NoError(t, run.Run(t, tests.ConformanceTests))
}

// inMesh waits until the pods are captured and the waypoint serves them.
func inMesh(t *testing.T, c client.Client) {
	eventually(t, "the waypoint to be programmed", func(ctx context.Context) (bool, error) {
		gateway := &gatewayv1.Gateway{}
		err := c.Get(ctx, client.ObjectKey{Namespace: suite.MeshNamespace, Name: waypoint}, gateway)
		return err == nil && meta.IsStatusConditionTrue(gateway.Status.Conditions, string(gatewayv1.GatewayConditionProgrammed)), err
	})
	eventually(t, "all pods to be captured", func(ctx context.Context) (bool, error) {
		for _, namespace := range []string{suite.MeshNamespace, suite.MeshConsumerNamespace} {
			pods := &corev1.PodList{}
			if err := c.List(ctx, pods, client.InNamespace(namespace), client.HasLabels{"version"}); err != nil {
				return false, err
			}
			for _, pod := range pods.Items {
				if pod.Annotations["ambient.istio.io/redirection"] != "enabled" {
					return false, nil
				}
			}
		}
		return true, nil
	})
}

func eventually(t *testing.T, what string, holds wait.ConditionWithContextFunc) {
	t.Helper()
	require.NoError(t, wait.PollUntilContextTimeout(context.Background(), 250*time.Millisecond, patience, true, holds), "waited for %s", what)
}

func write(t *testing.T, run *suite.ConformanceTestSuite, path string) {
	report, err := run.Report()
	require.NoError(t, err)
	text, err := yaml.Marshal(report)
	require.NoError(t, err)
	t.Logf("Conformance report:\n%s", text)
	if path != "" {
		require.NoError(t, os.WriteFile(path, text, 0o644))
	}
}
