package dev.ambit.operator.ca;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/**
 * Lets no call in whose caller is unknown. Authenticators are asked in order, and the first that
 * knows the caller decides. May block: the server's executor has to bear that.
 */
public final class CallerAuthentication implements ServerInterceptor {
  private static final Context.Key<Caller> CALLER = Context.key("ambit-caller");
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final String BEARER = "Bearer ";

  private final List<Authenticator> authenticators;
  private final Refusals refusals;

  /** Asks those, in that order. */
  public CallerAuthentication(List<Authenticator> authenticators, Refusals refusals) {
    this.authenticators = List.copyOf(authenticators);
    this.refusals = refusals;
  }

  /** The caller of the call that is being handled. */
  public static Caller caller() {
    Caller caller = CALLER.get();
    if (caller == null) {
      throw new IllegalStateException("this call did not come through CallerAuthentication");
    }
    return caller;
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    Authenticator.Credentials credentials =
        new Authenticator.Credentials(certificates(call), bearerToken(headers));
    Refusal refusal =
        new Refusal(
            Refusal.Reason.NO_CREDENTIAL, "neither a client certificate nor a bearer token");
    for (Authenticator authenticator : authenticators) {
      switch (authenticator.authenticate(credentials)) {
        case Authenticator.Result.Authenticated(Caller caller) -> {
          return Contexts.interceptCall(
              Context.current().withValue(CALLER, caller), call, headers, next);
        }
        case Authenticator.Result.Refused(Refusal why) -> refusal = why;
        case Authenticator.Result.NotApplicable() -> {}
      }
    }
    Status status =
        refusals.refuse(
            refusal,
            String.valueOf(call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR)),
            call.getMethodDescriptor().getFullMethodName());
    call.close(status, new Metadata());
    return new ServerCall.Listener<>() {};
  }

  private static Optional<String> bearerToken(Metadata headers) {
    String value = headers.get(AUTHORIZATION);
    if (value == null || !value.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
      return Optional.empty();
    }
    String token = value.substring(BEARER.length()).strip();
    return token.isEmpty() ? Optional.empty() : Optional.of(token);
  }

  private static List<X509Certificate> certificates(ServerCall<?, ?> call) {
    SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    if (session == null) {
      return List.of();
    }
    List<X509Certificate> chain = new ArrayList<>();
    try {
      for (Certificate certificate : session.getPeerCertificates()) {
        if (certificate instanceof X509Certificate x509) {
          chain.add(x509);
        }
      }
    } catch (SSLPeerUnverifiedException e) {
      // The client showed none, which is its right: a token may come instead.
      return List.of();
    }
    return chain;
  }
}
