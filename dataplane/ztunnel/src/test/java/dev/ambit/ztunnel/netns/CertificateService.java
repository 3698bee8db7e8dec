package dev.ambit.ztunnel.netns;

import dev.ambit.protocol.ca.IstioCertificateRequest;
import dev.ambit.protocol.ca.IstioCertificateResponse;
import dev.ambit.protocol.ca.IstioCertificateServiceGrpc.IstioCertificateServiceImplBase;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/** A certificate service that signs what it is asked for, unless a test tells it to refuse. */
final class CertificateService extends IstioCertificateServiceImplBase {
  /** The token that it accepts unless told otherwise. */
  static final String TOKEN = "token-of-the-ztunnel";

  static final Context.Key<Metadata> METADATA = Context.key("metadata");

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  /** What was asked for, and whether it was signed. */
  record Request(String identity, long validitySeconds, boolean signed) {}

  private final TestAuthority authority;
  private final List<Request> requests = new CopyOnWriteArrayList<>();
  private volatile Duration lifetime = Duration.ofHours(1);
  private volatile Predicate<String> refused = identity -> false;

  private volatile String token = TOKEN;

  CertificateService(TestAuthority authority) {
    this.authority = authority;
  }

  /** Certificates signed from now on are valid for {@code lifetime}. */
  void lifetime(Duration lifetime) {
    this.lifetime = lifetime;
  }

  /** From now on no other token is accepted. */
  void expectToken(String accepted) {
    this.token = accepted;
  }

  /** From now on requests for these identities are refused. */
  void refuse(Predicate<String> identities) {
    this.refused = identities;
  }

  List<Request> requests() {
    return requests;
  }

  /** How many certificates were signed for {@code identity}. */
  long signed(String identity) {
    return requests.stream().filter(r -> r.signed() && r.identity().equals(identity)).count();
  }

  @Override
  public void createCertificate(
      IstioCertificateRequest request, StreamObserver<IstioCertificateResponse> responses) {
    var identity =
        request
            .getMetadata()
            .getFieldsOrDefault(
                "ImpersonatedIdentity", com.google.protobuf.Value.getDefaultInstance())
            .getStringValue();
    try {
      var chain = sign(identity, request);
      requests.add(new Request(identity, request.getValidityDuration(), true));
      responses.onNext(IstioCertificateResponse.newBuilder().addAllCertChain(chain).build());
      responses.onCompleted();
    } catch (IOException | IllegalArgumentException e) {
      requests.add(new Request(identity, request.getValidityDuration(), false));
      responses.onError(Status.INVALID_ARGUMENT.withDescription(e.getMessage()).asException());
    } catch (io.grpc.StatusException e) {
      requests.add(new Request(identity, request.getValidityDuration(), false));
      responses.onError(e);
    }
  }

  private List<String> sign(String identity, IstioCertificateRequest request)
      throws IOException, io.grpc.StatusException {
    if (!("Bearer " + token).equals(METADATA.get().get(AUTHORIZATION))) {
      throw Status.UNAUTHENTICATED.withDescription("not the expected token").asException();
    }
    if (refused.test(identity)) {
      throw Status.PERMISSION_DENIED.withDescription("the test refuses " + identity).asException();
    }
    var parsed = TestAuthority.parse(request.getCsr());
    if (!parsed.uris().equals(List.of(identity))) {
      throw new IOException(
          "the request is for %s but names %s".formatted(identity, parsed.uris()));
    }
    return authority.sign(parsed, lifetime);
  }
}
