package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// routeProtocol marks the routes that podNetwork owns, so that it removes those and no others.
const routeProtocol = netlink.RouteProtocol(66)

// podNetwork is this node's part of the pod network: a CNI configuration for the pod CIDRs that the controller manager gave the
// node, and a route to the pod CIDRs of each other node.
type podNetwork struct {
	node             string
	configurationDir string
	nodes            listers.NodeLister
}

func newPodNetworkCommand() *cobra.Command {
	network := podNetwork{}
	var kubeconfig string
	command := &cobra.Command{
		Use:   "pod-network",
		Short: "Keeps this node's CNI configuration and its routes to the other nodes' pods",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return network.run(genericapiserver.SetupSignalContext(), kubeconfig)
		},
	}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	command.Flags().StringVar(&network.node, "node", "", "name of this node")
	command.Flags().StringVar(&network.configurationDir, "cni-conf-dir", "", "where to write the CNI configuration")
	return command
}

func (network *podNetwork) run(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	// One item stands for all there is to do, so that many events of one moment are one pass.
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 10*time.Second))
	factory := informers.NewSharedInformerFactory(client, time.Minute)
	informer := factory.Core().V1().Nodes()
	network.nodes = informer.Lister()
	if _, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { queue.Add("all") },
		UpdateFunc: func(any, any) { queue.Add("all") },
		DeleteFunc: func(any) { queue.Add("all") },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go func() {
		<-ctx.Done()
		queue.ShutDown()
	}()
	for {
		item, shutdown := queue.Get()
		if shutdown {
			return nil
		}
		if err := network.reconcile(); err != nil {
			klog.ErrorS(err, "Pod network is not complete yet", "node", network.node)
			queue.AddRateLimited(item)
		} else {
			queue.Forget(item)
		}
		queue.Done(item)
	}
}

func (network *podNetwork) reconcile() error {
	nodes, err := network.nodes.List(labels.Everything())
	if err != nil {
		return err
	}
	wanted := map[string]netlink.Route{}
	var failures []error
	for _, node := range nodes {
		if node.Name == network.node {
			failures = append(failures, network.writeConfiguration(node.Spec.PodCIDRs))
			continue
		}
		for _, cidr := range node.Spec.PodCIDRs {
			_, destination, err := net.ParseCIDR(cidr)
			if err != nil {
				failures = append(failures, fmt.Errorf("pod CIDR of node %s: %w", node.Name, err))
				continue
			}
			if gateway := internalAddress(node, destination.IP.To4() == nil); gateway != nil {
				wanted[destination.String()] = netlink.Route{Dst: destination, Gw: gateway, Protocol: routeProtocol}
			}
		}
	}
	failures = append(failures, applyRoutes(wanted))
	return errors.Join(failures...)
}

func internalAddress(node *corev1.Node, v6 bool) net.IP {
	for _, address := range node.Status.Addresses {
		ip := net.ParseIP(address.Address)
		if address.Type == corev1.NodeInternalIP && ip != nil && (ip.To4() == nil) == v6 {
			return ip
		}
	}
	return nil
}

func applyRoutes(wanted map[string]netlink.Route) error {
	present, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Protocol: routeProtocol}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	var failures []error
	for _, route := range present {
		if _, keep := wanted[route.Dst.String()]; !keep {
			failures = append(failures, netlink.RouteDel(&route))
		}
	}
	for destination, route := range wanted {
		if err := netlink.RouteReplace(&route); err != nil {
			failures = append(failures, fmt.Errorf("route to %s by %s: %w", destination, route.Gw, err))
		}
	}
	return errors.Join(failures...)
}

// writeConfiguration leaves a file alone that is for these CIDRs already: a plugin chained into it by someone else stays.
func (network *podNetwork) writeConfiguration(cidrs []string) error {
	if len(cidrs) == 0 {
		return fmt.Errorf("node %s has no pod CIDR yet", network.node)
	}
	file := filepath.Join(network.configurationDir, "10-bridge.conflist")
	if content, err := os.ReadFile(file); err == nil && containsAll(string(content), cidrs) {
		return nil
	}
	var ranges, routes []any
	for _, cidr := range cidrs {
		everywhere := "0.0.0.0/0"
		if strings.Contains(cidr, ":") {
			everywhere = "::/0"
		}
		ranges = append(ranges, []any{map[string]string{"subnet": cidr}})
		routes = append(routes, map[string]string{"dst": everywhere})
	}
	content, err := json.MarshalIndent(map[string]any{
		"cniVersion": "1.0.0",
		"name":       "pods",
		"plugins": []any{
			map[string]any{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
				"ipam": map[string]any{"type": "host-local", "ranges": ranges, "routes": routes},
			},
			map[string]any{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(network.configurationDir, 0o755); err != nil {
		return err
	}
	// Renamed into place, since the runtime watches the folder and would read half a file.
	partial := filepath.Join(network.configurationDir, ".10-bridge.partial")
	if err := os.WriteFile(partial, content, 0o644); err != nil {
		return err
	}
	return os.Rename(partial, file)
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, `"`+part+`"`) {
			return false
		}
	}
	return true
}
