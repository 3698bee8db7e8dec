package dev.ambit.operator.waypoint.life.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** As `kubectl patch --type strategic` has it. */
class StrategicMergeTest {
  private static ObjectNode yaml(String text) {
    return (ObjectNode)
        Objects.requireNonNull(
            new ObjectMapper().valueToTree(Serialization.unmarshal("---\n" + text, Object.class)));
  }

  private static JsonNode merged(String base, String patch) throws InvalidParametersException {
    return StrategicMerge.apply(yaml(base), yaml(patch)).orElseThrow();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{a: {b: 1, c: 2}} | {a: {b: 3}} | {a: {b: 3, c: 2}}",
        "{a: {b: 1, c: 2}} | {a: {b: null}} | {a: {c: 2}}",
        "{a: {b: 1, c: 2}} | {a: {$patch: replace, d: 3}} | {a: {d: 3}}",
        "{a: {b: 1, c: 2}} | {a: {$retainKeys: [c, d], d: 3}} | {a: {c: 2, d: 3}}",
        "{a: [1, 2]} | {a: [3]} | {a: [3]}",
        "{finalizers: [x]} | {finalizers: [x, z]} | {finalizers: [x, z]}",
        "{spec: {containers: [{name: p, image: i}]}} | {spec: {containers: [{name: p, env: [{name: A,"
            + " value: 1}]}]}} | {spec: {containers: [{name: p, image: i, env: [{name: A, value:"
            + " 1}]}]}}",
        "{spec: {containers: [{name: p}, {name: q}]}} | {spec: {containers: [{name: q, $patch:"
            + " delete}, {name: r, image: i}]}} | {spec: {containers: [{name: p}, {name: r, image:"
            + " i}]}}",
        "{spec: {containers: [{name: p}]}} | {spec: {containers: [{$patch: replace}, {name: q}]}} |"
            + " {spec: {containers: [{name: q}]}}",
        "{spec: {ports: [{port: 1, name: a}]}} | {spec: {ports: [{port: 1, name: b}, {port: 2}]}} |"
            + " {spec: {ports: [{port: 1, name: b}, {port: 2}]}}",
        "{spec: {containers: [{name: p, ports: [{containerPort: 1}]}]}} | {spec: {containers: [{name:"
            + " p, ports: [{containerPort: 2}]}]}} | {spec: {containers: [{name: p, ports:"
            + " [{containerPort: 1}, {containerPort: 2}]}]}}",
        "{spec: {tolerations: [{key: a}]}} | {spec: {tolerations: [{key: b}]}} | {spec: {tolerations:"
            + " [{key: b}]}}",
        "{spec: {volumes: [{name: v, emptyDir: {}}]}} | {spec: {volumes: [{name: v, $retainKeys:"
            + " [name, configMap], configMap: {name: c}}]}} | {spec: {volumes: [{name: v, configMap:"
            + " {name: c}}]}}"
      })
  void mergesAsKubernetesDoes(String base, String patch, String expected)
      throws InvalidParametersException {
    assertThat(merged(base, patch)).isEqualTo(yaml(expected));
  }

  @Test
  void removesTheWholeObject() throws InvalidParametersException {
    assertThat(StrategicMerge.apply(yaml("{a: 1}"), yaml("{$patch: delete}")))
        .isEqualTo(Optional.empty());
  }

  @Test
  void leavesWhatItIsGivenAsItWas() throws InvalidParametersException {
    ObjectNode base = yaml("{a: {b: [1]}}");
    StrategicMerge.apply(base, yaml("{a: {b: null, c: 2}}"));
    assertThat(base).isEqualTo(yaml("{a: {b: [1]}}"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{spec: {containers: [{image: i}]}} | spec.containers has an element without name",
        "{spec: {containers: [p]}} | spec.containers has an element that is not an object",
        "{spec: {$setElementOrder/containers: []}} | $setElementOrder/containers, which is not",
        "{spec: {$patch: drop}} | $patch: drop, which has no meaning"
      })
  void saysWhatIsWrongWithAPatch(String patch, String message) {
    assertThatThrownBy(() -> merged("{spec: {containers: [{name: p}]}}", patch))
        .isInstanceOf(InvalidParametersException.class)
        .hasMessageContaining(message);
  }
}
