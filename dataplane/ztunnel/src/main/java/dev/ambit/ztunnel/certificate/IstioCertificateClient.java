package dev.ambit.ztunnel.certificate;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.ambit.protocol.ca.IstioCertificateRequest;
import dev.ambit.protocol.ca.IstioCertificateResponse;
import dev.ambit.protocol.ca.IstioCertificateServiceGrpc;
import dev.ambit.ztunnel.channel.ServerChannel;
import dev.ambit.ztunnel.identity.Identity;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/**
 * Asks an {@code IstioCertificateService} for certificates on behalf of the node's pods: the call
 * proves to be this ztunnel, and its metadata names whose certificate is wanted.
 */
public final class IstioCertificateClient implements CertificateIssuer {
  private static final String IMPERSONATED_IDENTITY = "ImpersonatedIdentity";
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);

  private final ServerChannel channel;
  private final Duration lifetime;

  /**
   * @param lifetime what to ask for; the authority may give less
   */
  public IstioCertificateClient(ServerChannel channel, Duration lifetime) {
    this.channel = channel;
    this.lifetime = lifetime;
  }

  @Override
  public CompletionStage<List<String>> issue(Identity identity, String requestPem) {
    IstioCertificateRequest request =
        IstioCertificateRequest.newBuilder()
            .setCsr(requestPem)
            .setValidityDuration(lifetime.toSeconds())
            .setMetadata(
                Struct.newBuilder()
                    .putFields(
                        IMPERSONATED_IDENTITY,
                        Value.newBuilder().setStringValue(identity.uri()).build()))
            .build();
    CompletableFuture<List<String>> result = new CompletableFuture<>();
    try {
      IstioCertificateServiceGrpc.newStub(channel.open())
          .withDeadlineAfter(CALL_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
          .createCertificate(request, new Reply(result));
    } catch (IOException e) {
      result.completeExceptionally(e);
    }
    return result;
  }

  private record Reply(CompletableFuture<List<String>> result)
      implements StreamObserver<IstioCertificateResponse> {
    @Override
    public void onNext(IstioCertificateResponse response) {
      result.complete(response.getCertChainList());
    }

    @Override
    public void onError(Throwable failure) {
      result.completeExceptionally(failure);
    }

    @Override
    public void onCompleted() {
      result.completeExceptionally(new IOException("the authority answered with nothing"));
    }
  }
}
