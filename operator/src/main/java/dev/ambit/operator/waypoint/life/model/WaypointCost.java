package dev.ambit.operator.waypoint.life.model;

import dev.ambit.api.ResourceDemand;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.Quantity;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a waypoint requests of the cluster.
 *
 * @param fewest at the fewest instances
 * @param most at the most; the same where their number is fixed
 */
public record WaypointCost(ResourceDemand fewest, ResourceDemand most) {
  private static final BigDecimal THOUSAND = BigDecimal.valueOf(1000);
  private static final BigDecimal MEBIBYTE = BigDecimal.valueOf(1L << 20);

  /** That of a waypoint's objects. */
  public static WaypointCost of(WaypointObjects objects) {
    int fewest = objects.initialReplicas();
    int most =
        objects
            .autoscaler()
            .map(autoscaler -> autoscaler.getSpec().getMaxReplicas())
            .filter(Objects::nonNull)
            .orElse(fewest);
    List<Container> containers =
        objects.deployment().getSpec().getTemplate().getSpec().getContainers();
    return new WaypointCost(demand(containers, fewest), demand(containers, most));
  }

  private static ResourceDemand demand(List<Container> containers, int instances) {
    BigDecimal cpu = sum(containers, "cpu", instances);
    BigDecimal memory = sum(containers, "memory", instances);
    return new ResourceDemand(
        instances, cpu == null ? null : cpu(cpu), memory == null ? null : memory(memory));
  }

  /** Null where no container requests any. */
  private static @Nullable BigDecimal sum(
      List<Container> containers, String resource, int instances) {
    return containers.stream()
        .map(container -> requested(container, resource))
        .filter(Objects::nonNull)
        .reduce(BigDecimal::add)
        .map(each -> each.multiply(BigDecimal.valueOf(instances)))
        .orElse(null);
  }

  private static @Nullable BigDecimal requested(Container container, String resource) {
    Quantity quantity =
        container.getResources() == null || container.getResources().getRequests() == null
            ? null
            : container.getResources().getRequests().get(resource);
    return quantity == null ? null : quantity.getNumericalAmount();
  }

  private static String cpu(BigDecimal cores) {
    BigDecimal whole = cores.stripTrailingZeros();
    return whole.scale() <= 0
        ? whole.toPlainString()
        : cores.multiply(THOUSAND).setScale(0, RoundingMode.UP).toPlainString() + "m";
  }

  private static String memory(BigDecimal bytes) {
    return bytes.divide(MEBIBYTE, 0, RoundingMode.UP).toPlainString() + "Mi";
  }
}
