package dev.ambit.operator.model;

import com.google.protobuf.Empty;
import dev.ambit.protocol.security.Address;
import dev.ambit.protocol.security.ServiceAccountMatch;
import dev.ambit.protocol.security.StringMatch;
import java.util.List;
import java.util.Optional;

/** Values of policy fields, as far as they mean something at layer 4. */
final class L4Values {
  private L4Values() {}

  /** {@code *} is anything, {@code x*} a prefix, {@code *x} a suffix, all else exact. */
  static Optional<StringMatch> string(String value) {
    if (value.isEmpty()) {
      return Optional.empty();
    }
    StringMatch.Builder match = StringMatch.newBuilder();
    if (value.equals("*")) {
      return Optional.of(match.setPresence(Empty.getDefaultInstance()).build());
    }
    if (value.startsWith("*")) {
      // With a star at both ends one form would have to be taken literally.
      return value.endsWith("*")
          ? Optional.empty()
          : Optional.of(match.setSuffix(value.substring(1)).build());
    }
    if (value.endsWith("*")) {
      return Optional.of(match.setPrefix(value.substring(0, value.length() - 1)).build());
    }
    return Optional.of(match.setExact(value).build());
  }

  /**
   * A principal, as a condition on peers' SPIFFE identities, which are compared without their
   * scheme. One that is written with it would match nobody.
   */
  static Optional<List<StringMatch>> principal(TrustDomains trustDomains, String value) {
    return value.startsWith("spiffe://")
        ? Optional.empty()
        : string(value)
            .map(
                _ ->
                    trustDomains.expand(value).stream()
                        .flatMap(each -> string(each).stream())
                        .toList());
  }

  /** A trust domain, as a condition on the principal, which begins with it. */
  static Optional<StringMatch> trustDomain(String value) {
    if (value.isEmpty()
        || value.indexOf('/') >= 0
        || value.lastIndexOf('*') > 0 && !value.endsWith("*")) {
      return Optional.empty();
    }
    StringMatch.Builder match = StringMatch.newBuilder();
    if (value.equals("*")) {
      return Optional.of(match.setPresence(Empty.getDefaultInstance()).build());
    }
    if (value.startsWith("*")) {
      // How a trust domain ends is in the middle of a principal.
      return Optional.empty();
    }
    return Optional.of(
        match
            .setPrefix(value.endsWith("*") ? value.substring(0, value.length() - 1) : value + "/")
            .build());
  }

  /** "namespace/account", or "account" of the policy's own namespace. */
  static Optional<ServiceAccountMatch> serviceAccount(String policyNamespace, String value) {
    int slash = value.indexOf('/');
    String namespace = slash < 0 ? policyNamespace : value.substring(0, slash);
    String account = value.substring(slash + 1);
    return namespace.isEmpty()
            || account.isEmpty()
            || account.indexOf('/') >= 0
            || value.indexOf('*') >= 0
        ? Optional.empty()
        : Optional.of(
            ServiceAccountMatch.newBuilder()
                .setNamespace(namespace)
                .setServiceAccount(account)
                .build());
  }

  /** A CIDR block or an address. */
  static Optional<Address> block(String value) {
    return IpAddresses.parseBlock(value)
        .map(
            block ->
                Address.newBuilder().setAddress(block.address()).setLength(block.length()).build());
  }

  static Optional<Integer> port(String value) {
    if (!value.matches("[0-9]{1,5}")) {
      return Optional.empty();
    }
    int port = Integer.parseInt(value);
    return port >= 1 && port <= 65535 ? Optional.of(port) : Optional.empty();
  }
}
