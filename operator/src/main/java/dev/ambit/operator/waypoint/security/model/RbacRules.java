package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.waypoint.model.FilterState;
import io.envoyproxy.envoy.config.rbac.v3.Permission;
import io.envoyproxy.envoy.config.rbac.v3.Policy;
import io.envoyproxy.envoy.config.rbac.v3.Principal;
import io.envoyproxy.envoy.config.rbac.v3.RBAC;
import io.envoyproxy.envoy.type.matcher.v3.FilterStateMatcher;
import java.util.Collection;

/** Rules for Envoy's RBAC filter. */
final class RbacRules {
  private RbacRules() {}

  static RBAC of(RBAC.Action action, Collection<RuleCondition> rules) {
    RBAC.Builder rbac = RBAC.newBuilder().setAction(action);
    rules.forEach(
        rule ->
            rbac.putPolicies(
                rule.name(),
                Policy.newBuilder()
                    .addPrincipals(principal(rule.source()))
                    .addPermissions(permission(rule.operation()))
                    .build()));
    return rbac.build();
  }

  private static Principal principal(Condition condition) {
    Principal.Builder principal = Principal.newBuilder();
    return switch (condition) {
      case Condition.Constant(boolean holds) ->
          holds
              ? principal.setAny(true).build()
              : principal.setNotId(Principal.newBuilder().setAny(true)).build();
      case Condition.All(var conditions) -> {
        Principal.Set.Builder set = Principal.Set.newBuilder();
        conditions.forEach(each -> set.addIds(principal(each)));
        yield principal.setAndIds(set).build();
      }
      case Condition.Any(var conditions) -> {
        Principal.Set.Builder set = Principal.Set.newBuilder();
        conditions.forEach(each -> set.addIds(principal(each)));
        yield principal.setOrIds(set).build();
      }
      case Condition.Not(Condition inner) -> principal.setNotId(principal(inner)).build();
      case Condition.Peer(TextMatch match) ->
          principal
              .setFilterState(
                  FilterStateMatcher.newBuilder()
                      .setKey(FilterState.PEER_PRINCIPAL)
                      .setStringMatch(Matchers.string(match)))
              .build();
      case Condition.SourceAddress(AddressBlock block) ->
          principal.setDirectRemoteIp(Matchers.block(block)).build();
      case Condition.RemoteAddress(AddressBlock block) ->
          principal.setRemoteIp(Matchers.block(block)).build();
      case Condition.Header header -> principal.setHeader(Matchers.header(header)).build();
      case Condition.Path path -> principal.setUrlPath(Matchers.path(path)).build();
      case Condition.Metadata metadata ->
          principal.setSourcedMetadata(Matchers.metadata(metadata)).build();
      case Condition.DestinationAddress _, Condition.DestinationPort _, Condition.ServerName _ ->
          throw new IllegalArgumentException("not of a source: " + condition);
    };
  }

  private static Permission permission(Condition condition) {
    Permission.Builder permission = Permission.newBuilder();
    return switch (condition) {
      case Condition.Constant(boolean holds) ->
          holds
              ? permission.setAny(true).build()
              : permission.setNotRule(Permission.newBuilder().setAny(true)).build();
      case Condition.All(var conditions) -> {
        Permission.Set.Builder set = Permission.Set.newBuilder();
        conditions.forEach(each -> set.addRules(permission(each)));
        yield permission.setAndRules(set).build();
      }
      case Condition.Any(var conditions) -> {
        Permission.Set.Builder set = Permission.Set.newBuilder();
        conditions.forEach(each -> set.addRules(permission(each)));
        yield permission.setOrRules(set).build();
      }
      case Condition.Not(Condition inner) -> permission.setNotRule(permission(inner)).build();
      case Condition.DestinationAddress(AddressBlock block) ->
          permission.setDestinationIp(Matchers.block(block)).build();
      case Condition.DestinationPort(int port) -> permission.setDestinationPort(port).build();
      case Condition.ServerName(TextMatch match) ->
          permission.setRequestedServerName(Matchers.string(match)).build();
      case Condition.Header header -> permission.setHeader(Matchers.header(header)).build();
      case Condition.Path path -> permission.setUrlPath(Matchers.path(path)).build();
      case Condition.Metadata metadata ->
          permission.setSourcedMetadata(Matchers.metadata(metadata)).build();
      case Condition.Peer _, Condition.SourceAddress _, Condition.RemoteAddress _ ->
          throw new IllegalArgumentException("not of an operation: " + condition);
    };
  }
}
