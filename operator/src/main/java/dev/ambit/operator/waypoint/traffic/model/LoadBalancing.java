package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.UInt64Value;
import dev.ambit.operator.waypoint.traffic.model.LocalityPolicy.Distribution;
import dev.ambit.operator.waypoint.traffic.model.LocalityPolicy.RegionFailover;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.RuntimeDouble;
import io.envoyproxy.envoy.config.route.v3.RouteAction.HashPolicy;
import io.envoyproxy.envoy.type.v3.Percent;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettings;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHash;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHashLB;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHashLBHTTPCookie_;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHashLBHttpCookie;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHashLBHttpHeaderName;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHashLBHttpQueryParameterName;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHashLBMaglev;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHashLBRingHash;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsConsistentHashLBUseSourceIp;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsSimple;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettingsSimpleLB;
import io.fabric8.istio.api.api.networking.v1alpha3.LocalityLoadBalancerSetting;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** How an endpoint is chosen, as a traffic policy has it. */
record LoadBalancing(
    Cluster cluster,
    Optional<HashPolicy> hash,
    boolean hashSourceAddress,
    Optional<LocalityPolicy> locality) {
  private static final long LARGEST_RING = 8_388_608;
  private static final long LARGEST_TABLE = 5_000_011;

  /** What Istio gives a ring that says nothing of its size. */
  private static final long USUAL_RING = 1024;

  /** Runtime keys have to be named, though nothing overrides these. */
  private static final String WARMUP_KEY = "waypoint.warmup_aggression";

  /**
   * Translates; without settings the endpoint of two with fewer requests is chosen, and no locality
   * preferred.
   */
  static LoadBalancing translate(
      String path,
      @Nullable LoadBalancerSettings settings,
      boolean outlierDetection,
      Findings findings) {
    Cluster.Builder cluster = Cluster.newBuilder().setLbPolicy(Cluster.LbPolicy.LEAST_REQUEST);
    if (settings == null) {
      return new LoadBalancing(
          cluster.build(),
          Optional.empty(),
          false,
          outlierDetection ? Optional.of(new LocalityPolicy.Nearest(List.of())) : Optional.empty());
    }
    Optional<HashPolicy> hash = Optional.empty();
    switch (settings.getLbPolicy()) {
      case LoadBalancerSettingsSimple simple when simple.getSimple() != null ->
          cluster.setLbPolicy(simple(path + ".simple", simple.getSimple(), findings));
      case LoadBalancerSettingsConsistentHash consistent
          when consistent.getConsistentHash() != null -> {
        String hashPath = path + ".consistentHash";
        LoadBalancerSettingsConsistentHashLB ring = consistent.getConsistentHash();
        hash = hash(hashPath, ring, findings);
        if (hash.isPresent()) {
          ring(hashPath, ring, cluster, findings);
        }
        findings.unknown(hashPath, ring.getAdditionalProperties());
      }
      case null, default -> {}
    }
    warmup(path, settings, cluster, findings);
    Optional<LocalityPolicy> locality =
        locality(
            path + ".localityLbSetting",
            settings.getLocalityLbSetting(),
            outlierDetection,
            findings);
    if (locality.filter(LocalityPolicy.Distributed.class::isInstance).isPresent()) {
      cluster.setCommonLbConfig(
          Cluster.CommonLbConfig.newBuilder()
              .setLocalityWeightedLbConfig(
                  Cluster.CommonLbConfig.LocalityWeightedLbConfig.getDefaultInstance()));
    }
    findings.unknown(path, settings.getAdditionalProperties());
    return new LoadBalancing(
        cluster.build(),
        hash,
        hash.filter(HashPolicy::hasConnectionProperties).isPresent(),
        locality);
  }

  private static Cluster.LbPolicy simple(
      String path, LoadBalancerSettingsSimpleLB simple, Findings findings) {
    return switch (simple) {
      case UNSPECIFIED, LEAST_CONN, LEAST_REQUEST -> Cluster.LbPolicy.LEAST_REQUEST;
      case ROUND_ROBIN -> Cluster.LbPolicy.ROUND_ROBIN;
      case RANDOM -> Cluster.LbPolicy.RANDOM;
      case PASSTHROUGH -> {
        findings.add(
            path,
            "PASSTHROUGH is not supported: a request to a service is balanced over its endpoints, by LEAST_REQUEST; a ServiceEntry of resolution NONE passes through without it");
        yield Cluster.LbPolicy.LEAST_REQUEST;
      }
    };
  }

  private static Optional<HashPolicy> hash(
      String path, LoadBalancerSettingsConsistentHashLB ring, Findings findings) {
    HashPolicy.Builder policy = HashPolicy.newBuilder();
    switch (ring.getHashKey()) {
      case LoadBalancerSettingsConsistentHashLBHttpHeaderName header
          when HeaderNames.isValid(header.getHttpHeaderName()) ->
          policy.setHeader(
              HashPolicy.Header.newBuilder().setHeaderName(header.getHttpHeaderName()));
      case LoadBalancerSettingsConsistentHashLBHttpCookie cookie
          when cookie.getHttpCookie() != null
              && cookie.getHttpCookie().getName() != null
              && !cookie.getHttpCookie().getName().isEmpty() ->
          policy.setCookie(cookie(path + ".httpCookie", cookie.getHttpCookie(), findings));
      case LoadBalancerSettingsConsistentHashLBUseSourceIp source
          when Boolean.TRUE.equals(source.getUseSourceIp()) ->
          policy.setConnectionProperties(
              HashPolicy.ConnectionProperties.newBuilder().setSourceIp(true));
      case LoadBalancerSettingsConsistentHashLBHttpQueryParameterName query
          when query.getHttpQueryParameterName() != null
              && !query.getHttpQueryParameterName().isEmpty() ->
          policy.setQueryParameter(
              HashPolicy.QueryParameter.newBuilder().setName(query.getHttpQueryParameterName()));
      case null, default -> {
        findings.add(
            path, "names nothing of a request to hash; endpoints are chosen by LEAST_REQUEST");
        return Optional.empty();
      }
    }
    return Optional.of(policy.build());
  }

  private static HashPolicy.Cookie cookie(
      String path, LoadBalancerSettingsConsistentHashLBHTTPCookie_ cookie, Findings findings) {
    HashPolicy.Cookie.Builder hashed = HashPolicy.Cookie.newBuilder().setName(cookie.getName());
    if (cookie.getPath() != null) {
      hashed.setPath(cookie.getPath());
    }
    // Without one, a cookie is taken from clients that bring it, but not given out.
    Durations.of(path + ".ttl", cookie.getTtl(), findings).ifPresent(hashed::setTtl);
    if (cookie.getAttributes() != null) {
      cookie
          .getAttributes()
          .forEach(
              attribute ->
                  hashed.addAttributes(
                      HashPolicy.CookieAttribute.newBuilder()
                          .setName(attribute.getName() == null ? "" : attribute.getName())
                          .setValue(attribute.getValue() == null ? "" : attribute.getValue())));
    }
    findings.unknown(path, cookie.getAdditionalProperties());
    return hashed.build();
  }

  private static void ring(
      String path,
      LoadBalancerSettingsConsistentHashLB ring,
      Cluster.Builder cluster,
      Findings findings) {
    if (ring.getHashAlgorithm() instanceof LoadBalancerSettingsConsistentHashLBMaglev maglev) {
      cluster.setLbPolicy(Cluster.LbPolicy.MAGLEV);
      Long size = maglev.getMaglev() == null ? null : maglev.getMaglev().getTableSize();
      if (size != null && size != 0) {
        if (size > 1 && size <= LARGEST_TABLE && BigInteger.valueOf(size).isProbablePrime(50)) {
          cluster.setMaglevLbConfig(
              Cluster.MaglevLbConfig.newBuilder().setTableSize(UInt64Value.of(size)));
        } else {
          findings.add(
              path + ".maglev.tableSize",
              "is not a prime number of at most " + LARGEST_TABLE + "; 65537 is used");
        }
      }
      return;
    }
    cluster.setLbPolicy(Cluster.LbPolicy.RING_HASH);
    long size = USUAL_RING;
    Long wanted = ring.getMinimumRingSize();
    if (wanted != null && wanted != 0) {
      if (wanted < 0 || wanted > LARGEST_RING) {
        findings.add(
            path + ".minimumRingSize",
            "is not between 1 and " + LARGEST_RING + "; " + USUAL_RING + " is used");
      } else {
        size = wanted;
      }
    } else if (ring.getHashAlgorithm() instanceof LoadBalancerSettingsConsistentHashLBRingHash) {
      // The model of the API that we read it by has no place for what is in it.
      findings.add(
          path + ".ringHash",
          "its minimumRingSize, if it has one, is not looked at, and "
              + USUAL_RING
              + " is used; set consistentHash.minimumRingSize instead");
    }
    cluster.setRingHashLbConfig(
        Cluster.RingHashLbConfig.newBuilder().setMinimumRingSize(UInt64Value.of(size)));
  }

  private static void warmup(
      String path, LoadBalancerSettings settings, Cluster.Builder cluster, Findings findings) {
    Cluster.SlowStartConfig.Builder slow = Cluster.SlowStartConfig.newBuilder();
    String field;
    if (settings.getWarmup() != null) {
      field = path + ".warmup";
      var warmup = settings.getWarmup();
      var window = Durations.positive(field + ".duration", warmup.getDuration(), findings);
      if (window.isEmpty()) {
        findings.add(field, "has no duration and no effect");
        return;
      }
      slow.setSlowStartWindow(window.get());
      double aggression = warmup.getAggression() == null ? 1 : warmup.getAggression();
      if (!(aggression >= 1)) {
        findings.add(field + ".aggression", "is less than 1; it is taken for 1");
        aggression = 1;
      }
      double least = warmup.getMinimumPercent() == null ? 10 : warmup.getMinimumPercent();
      if (!(least >= 0 && least <= 100)) {
        findings.add(field + ".minimumPercent", "is not a percentage; it is taken for 10");
        least = 10;
      }
      slow.setAggression(
              RuntimeDouble.newBuilder().setDefaultValue(aggression).setRuntimeKey(WARMUP_KEY))
          .setMinWeightPercent(Percent.newBuilder().setValue(least));
      findings.unknown(field, warmup.getAdditionalProperties());
    } else if (settings.getWarmupDurationSecs() != null) {
      field = path + ".warmupDurationSecs";
      var window = Durations.positive(field, settings.getWarmupDurationSecs(), findings);
      if (window.isEmpty()) {
        return;
      }
      slow.setSlowStartWindow(window.get());
    } else {
      return;
    }
    switch (cluster.getLbPolicy()) {
      case LEAST_REQUEST ->
          cluster.setLeastRequestLbConfig(
              Cluster.LeastRequestLbConfig.newBuilder().setSlowStartConfig(slow));
      case ROUND_ROBIN ->
          cluster.setRoundRobinLbConfig(
              Cluster.RoundRobinLbConfig.newBuilder().setSlowStartConfig(slow));
      default ->
          findings.add(field, "has an effect with LEAST_REQUEST and ROUND_ROBIN only, as in Istio");
    }
  }

  private static Optional<LocalityPolicy> locality(
      String path,
      @Nullable LocalityLoadBalancerSetting setting,
      boolean outlierDetection,
      Findings findings) {
    if (setting == null) {
      // Istio's mesh-wide default: what outlier detection ejects is replaced from nearby.
      return outlierDetection
          ? Optional.of(new LocalityPolicy.Nearest(List.of()))
          : Optional.empty();
    }
    findings.unknown(path, setting.getAdditionalProperties());
    if (Boolean.FALSE.equals(setting.getEnabled())) {
      return Optional.of(LocalityPolicy.ANYWHERE);
    }
    if (setting.getDistribute() != null && !setting.getDistribute().isEmpty()) {
      if ((setting.getFailover() != null && !setting.getFailover().isEmpty())
          || (setting.getFailoverPriority() != null && !setting.getFailoverPriority().isEmpty())) {
        findings.add(path + ".failover", "has no effect beside distribute");
      }
      return Optional.of(
          new LocalityPolicy.Distributed(
              setting.getDistribute().stream()
                  .filter(each -> each.getFrom() != null && each.getTo() != null)
                  .map(each -> new Distribution(each.getFrom(), positive(each.getTo())))
                  .toList()));
    }
    List<RegionFailover> failovers =
        setting.getFailover() == null
            ? List.of()
            : setting.getFailover().stream()
                .filter(each -> each.getFrom() != null && each.getTo() != null)
                .map(each -> new RegionFailover(each.getFrom(), each.getTo()))
                .toList();
    List<String> labels =
        setting.getFailoverPriority() == null ? List.of() : setting.getFailoverPriority();
    if (!outlierDetection) {
      if (!failovers.isEmpty() || !labels.isEmpty()) {
        findings.add(path, "has no effect without outlierDetection, as in Istio");
      }
      return Optional.of(LocalityPolicy.ANYWHERE);
    }
    return Optional.of(
        labels.isEmpty()
            ? new LocalityPolicy.Nearest(failovers)
            : new LocalityPolicy.Preferring(labels, failovers));
  }

  private static Map<String, Long> positive(Map<String, Long> shares) {
    return shares.entrySet().stream()
        .filter(share -> share.getValue() != null && share.getValue() > 0)
        .collect(
            java.util.stream.Collectors.toUnmodifiableMap(Map.Entry::getKey, Map.Entry::getValue));
  }
}
