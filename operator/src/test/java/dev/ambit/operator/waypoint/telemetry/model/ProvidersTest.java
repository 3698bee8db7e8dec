package dev.ambit.operator.waypoint.telemetry.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AccessLogFormat;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.DefaultProviders;
import dev.ambit.api.ExtensionProvider;
import dev.ambit.api.FileAccessLog;
import dev.ambit.api.OtlpAccessLog;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ProvidersTest {
  private static ExtensionProvider file(AccessLogFormat format) {
    return new ExtensionProvider(
        "file", null, null, new FileAccessLog("/dev/stderr", format), null, null);
  }

  private static List<String> findings(
      List<ExtensionProvider> providers, @Nullable DefaultProviders defaults) {
    return Providers.findings(
        new AmbientMeshSpec(
            null, null, null, null, null, null, null, null, null, null, null, null, null, providers,
            defaults));
  }

  @Test
  void defaultsThatNameNoProviderForItAreTold() {
    assertThat(
            findings(
                List.of(),
                new DefaultProviders(
                    List.of("envoy", "nobody"), List.of("prometheus"), List.of("prometheus"))))
        .containsExactly(
            "spec.defaultProviders.accessLogging: the mesh has no provider nobody",
            "spec.defaultProviders.tracing: the provider prometheus is not for this");
    assertThat(findings(List.of(), null)).isEmpty();
  }

  @Test
  void everyMeshHasIstiosTwo() {
    Providers providers = Providers.of(List.of());

    assertThat(providers.named("envoy"))
        .contains(new Provider.FileLog("envoy", "/dev/stdout", LogFormat.ISTIO));
    assertThat(providers.isScraped("prometheus")).isTrue();
    assertThat(providers.named("other")).isEmpty();
  }

  @Test
  void aFormatThatEnvoyWouldRefuseIsNotPassedOn() {
    ExtensionProvider text = file(new AccessLogFormat("50% of %RESPONSE_CODE%", null));
    ExtensionProvider labels =
        file(new AccessLogFormat(null, Map.of("good", "%DURATION%", "bad", "%DURATIN%")));

    assertThat(Providers.of(List.of(text)).named("file"))
        .contains(new Provider.FileLog("file", "/dev/stderr", LogFormat.ISTIO));
    assertThat(findings(List.of(text), null).getFirst())
        .startsWith("spec.extensionProviders[file].logFormat.text: at \"% of");
    assertThat(Providers.of(List.of(labels)).named("file"))
        .contains(
            new Provider.FileLog(
                "file", "/dev/stderr", new LogFormat.Json(Map.of("good", "%DURATION%"))));
    assertThat(findings(List.of(labels), null))
        .containsExactly(
            "spec.extensionProviders[file].logFormat.labels[bad]: no operator %DURATIN% is"
                + " supported, so it is left out");
  }

  @Test
  void anEntryOverOtlpHasATextAndFields() {
    ExtensionProvider plain =
        new ExtensionProvider(
            "otlp", null, null, null, new OtlpAccessLog("c.example", 4317, null, null), null);
    ExtensionProvider own =
        new ExtensionProvider(
            "otlp",
            null,
            null,
            null,
            new OtlpAccessLog(
                "c.example",
                4317,
                "mine",
                new AccessLogFormat("%PROTOCOL%", Map.of("code", "%RESPONSE_CODE%"))),
            null);
    Provider.Collector collector = new Provider.Collector("c.example", 4317);

    assertThat(Providers.of(List.of(plain)).named("otlp"))
        .contains(
            new Provider.CollectorLog(
                "otlp", collector, "otel_envoy_accesslog", LogFormat.ISTIO, LogFields.REQUESTS));
    assertThat(Providers.of(List.of(own)).named("otlp"))
        .contains(
            new Provider.CollectorLog(
                "otlp",
                collector,
                "mine",
                new LogFormat.Text("%PROTOCOL%"),
                Map.of("code", "%RESPONSE_CODE%")));
  }
}
