package gitops

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// What Flux waits for, by what Argo CD says of the same object.
var kstatusOf = map[health.HealthStatusCode]status.Status{
	health.HealthStatusHealthy:     status.CurrentStatus,
	health.HealthStatusProgressing: status.InProgressStatus,
	health.HealthStatusSuspended:   status.InProgressStatus,
	health.HealthStatusDegraded:    status.FailedStatus,
}

// TestHealthOfEachState runs the health checks as Argo CD runs those of its own tree, and Flux's library on the same objects.
func TestHealthOfEachState(t *testing.T) {
	suites, err := filepath.Glob(filepath.Join(checks, "*", "*", "health_test.yaml"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(suites), 2)
	for _, file := range suites {
		folder := filepath.Dir(file)
		script, err := os.ReadFile(filepath.Join(folder, "health.lua"))
		require.NoError(t, err)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var suite struct {
			Tests []struct {
				InputPath    string              `json:"inputPath"`
				HealthStatus health.HealthStatus `json:"healthStatus"`
			} `json:"tests"`
		}
		require.NoError(t, yaml.UnmarshalStrict(text, &suite))
		for _, test := range suite.Tests {
			t.Run(filepath.Base(folder)+"/"+filepath.Base(test.InputPath), func(t *testing.T) {
				input, err := os.ReadFile(filepath.Join(folder, test.InputPath))
				require.NoError(t, err)
				found := object(t, string(input))
				// Without the open libraries, as Argo CD runs checks that come from its settings.
				result, err := lua.VM{}.ExecuteHealthLua(found, string(script))
				require.NoError(t, err)
				require.Equal(t, &test.HealthStatus, result)

				computed, err := status.Compute(found)
				require.NoError(t, err)
				require.Equal(t, kstatusOf[test.HealthStatus.Status], computed.Status, computed.Message)
			})
		}
	}
}
