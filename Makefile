# What people and CI call. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
export PATH := $(CURDIR)/.build/bin:$(PATH)

# The JDK 25 to build with, wherever this machine has one: JAVA_HOME, the java on the PATH, macOS's own way, the usual folders.
JDK := $(shell \
  for home in "$${JAVA_HOME:-}" \
      "$$(dirname "$$(dirname "$$(readlink -f "$$(command -v java)" 2>/dev/null)")")" \
      "$$(/usr/libexec/java_home -v 25 2>/dev/null)" \
      /usr/lib/jvm/* /opt/java/* /opt/jdk* "$$HOME"/.sdkman/candidates/java/* "$$HOME"/.jdks/*; do \
    if [ -x "$$home/bin/javac" ] && grep -Eq '^JAVA_VERSION="(2[5-9]|[3-9][0-9])' "$$home/release" 2>/dev/null; then \
      echo "$$home"; break; \
    fi; \
  done)
export JAVA_HOME := $(JDK)

MVN := mvn -B -ntp

# Tests of real processes on a CI machine that others load too: one that fails is run once more, and named at the end if it then passes.
AGAIN := -Dfailsafe.rerunFailingTestsCount=1
# Runs where nothing else would.
IDLE := $(if $(shell command -v chrt),chrt --idle 0,nice -n 19)
ARCHIVES := $(addprefix .build/images/,operator.tar ztunnel.tar agent.tar waypoint.tar sample.tar)

.PHONY: help build prepare test bench bench-waypoint bench-enrollment jmh soak conformance images engine cluster demo demo-down format clean jdk packages

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

jdk:
	@[ -n "$(JDK)" ] || { echo "Ambit needs a JDK 25 or later, and none was found in JAVA_HOME, on the PATH or in the usual folders." \
	  "Install one (for example Eclipse Temurin 25) or set JAVA_HOME to it." >&2; exit 1; }

build: jdk ## Compile, package and lay out the programs, so that they run from here
	$(MVN) -q package -DskipTests
	@bin/archive-classes dataplane/ztunnel ztunnel
	@bin/archive-classes operator/cli cli

packages:
	@test-k3s/bin/packages

jmh: jdk build ## Run the benchmarks of the hot paths; JMH="-f 1 Policy" passes arguments
	@cd dataplane/ztunnel && "$(JDK)/bin/java" -cp "target/test-classes:target/classes:$$(cat target/bench.classpath)" \
	  org.openjdk.jmh.Main $(JMH)

images: packages build ## Build the container images into .build/images
	@test-k3s/bin/envoy
	images/build

engine: packages ## Start a container engine if none runs, and get the nodes' image
	@test-k3s/bin/container-engine
	@test-k3s/bin/node-image

prepare: engine
	@test-k3s/bin/tools
	@test-k3s/bin/gateway-api
	@test-k3s/bin/conformance
	@test-k3s/bin/gitops
	@test-k3s/bin/metrics-server

# Most of what the tests on a cluster need is built while those that need none run, of what they leave of the processors;
# .build/preparing has the id of the process that does it, for as long as it does.
test: jdk packages ## Run every test, from units to the cluster
	@test-k3s/bin/container-engine
	@test-k3s/bin/envoy
	@test-k3s/bin/busybox-image
	@mkdir -p .build
	@{ $(IDLE) make prepare; status=$$?; rm -f .build/preparing; exit $$status; } >.build/prepare.log 2>&1 & preparing=$$!; \
	echo $$preparing >.build/preparing; \
	status=0; \
	{ make images && $(MVN) verify --fail-at-end $(if $(CI),$(AGAIN)); } || status=$$?; \
	wait $$preparing || { status=$$?; cat .build/prepare.log; }; \
	exit $$status

bench: jdk packages build ## Measure the ztunnel, beside another one where PEER=command is given
	@dataplane/ztunnel/bench/run

bench-waypoint: jdk packages build ## Measure the hop through a waypoint, and waypoints with many services
	@dataplane/ztunnel/bench/waypoint

bench-enrollment: jdk packages engine images ## Measure a fleet of NAMESPACES (200) with PODS (2000) on NODES (20) that are simulated
	@test-k3s/bin/tools
	@test-k3s/bin/gateway-api
	$(MVN) verify -pl test-k3s -am -Dtest=None -Dsurefire.failIfNoSpecifiedTests=false \
	  -Dit.test=EnrollmentScaleIT -Dfailsafe.failIfNoSpecifiedTests=false \
	  -Dambit.scale.namespaces=$(or $(NAMESPACES),200) -Dambit.scale.pods=$(or $(PODS),2000) -Dambit.scale.nodes=$(or $(NODES),20) \
	  -Dambit.scale.report=$(CURDIR)/.build/bench/enrollment.md

soak: jdk packages ## Run the ztunnels under load for MINUTES (10) while all that is around them comes and goes
	$(MVN) verify -pl dataplane/ztunnel -am -Dtest=None -Dsurefire.failIfNoSpecifiedTests=false \
	  -Dit.test=SoakIT -Dfailsafe.failIfNoSpecifiedTests=false \
	  -Dambit.soak.minutes=$(or $(MINUTES),10) -Dambit.soak.report=$(CURDIR)/.build/soak

conformance: jdk packages engine images ## Run the Gateway API's conformance tests for meshes; the report is in .build/conformance
	@test-k3s/bin/tools
	@test-k3s/bin/gateway-api
	@test-k3s/bin/conformance
	$(MVN) verify -pl test-k3s -am -Dtest=None -Dsurefire.failIfNoSpecifiedTests=false \
	  -Dit.test=GatewayConformanceIT -Dfailsafe.failIfNoSpecifiedTests=false

cluster: images ## Start a two-node cluster with the images on it, and leave it running
	@test-k3s/bin/tools
	@test-k3s/bin/gateway-api
	@test-k3s/bin/cluster-up $(ARCHIVES)

demo-down: ## Remove the cluster of `make cluster` or `make demo`
	@test-k3s/bin/cluster-down

demo: jdk ## Show on a cluster what Ambit does, and leave it running to play with
	@test-k3s/bin/tools
	@test-k3s/demo/run

format: jdk ## Format the sources
	$(MVN) -q spotless:apply

clean: jdk ## Remove clusters and what was built; the container engine and the nodes' image stay
	@test-k3s/bin/cluster-down --all
	$(MVN) -q clean
	rm -rf .build/images .build/kubeconfig
