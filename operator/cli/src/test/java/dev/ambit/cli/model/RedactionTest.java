package dev.ambit.cli.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.cli.output.Json;
import org.junit.jupiter.api.Test;

class RedactionTest {
  private static final String TOKEN =
      "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
  private static final String KEY =
      "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIB\n-----END EC PRIVATE KEY-----";

  @Test
  void logs_lose_tokens_keys_and_passwords_and_keep_the_rest() {
    String log =
        "a line\ntoken "
            + TOKEN
            + "\nAuthorization: Bearer abcdef123456\n"
            + KEY
            + "\nurl=https://me:hunter2@host/path\npassword=hunter3 next\n\"api_key\": \"hunter4\"\nthe end\n";
    assertThat(Redaction.text(log))
        .contains("a line")
        .contains("the end")
        .contains("next")
        .contains("host/path")
        .doesNotContain(TOKEN)
        .doesNotContain("abcdef123456")
        .doesNotContain("MHcCAQEEIB")
        .doesNotContain("hunter");
  }

  @Test
  void a_key_that_is_cut_off_is_removed_to_the_end() {
    assertThat(Redaction.text("x -----BEGIN PRIVATE KEY-----\nMHcCAQEEIB"))
        .isEqualTo("x (removed)");
  }

  @Test
  void objects_lose_environment_values_and_what_tools_keep_of_them() throws Exception {
    var object =
        Json.parse(
            """
            {"kind": "Pod", "metadata": {"name": "p", "managedFields": [{"manager": "m"}],
               "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter1", "kept": "yes"}},
             "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "PASSWORD", "value": "hunter2"},
               {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
               "args": ["--url=https://me:hunter3@host", "Bearer hunter4hunter4"]}],
               "volumes": [{"name": "v", "secret": {"secretName": "kept-too"}}]}}
            """);
    String redacted = Redaction.document(object).toString();
    assertThat(redacted)
        .contains("PASSWORD", "spec.nodeName", "kept", "kept-too")
        .doesNotContain("hunter")
        .doesNotContain("managedFields");
    assertThat(object.toString()).as("the original is left").contains("hunter2");
  }

  @Test
  void secrets_and_fields_that_are_secret_by_name_are_emptied() throws Exception {
    var secret = Json.parse("{\"kind\": \"Secret\", \"data\": {\"key\": \"aHVudGVy\"}}");
    assertThat(Redaction.document(secret).toString()).doesNotContain("aHVudGVy");
    var dump =
        Json.parse(
            "{\"private_key\": {\"inline_bytes\": \"aHVudGVy\"}, \"token\": \"hunter\","
                + " \"x\": [{\"inlineString\": \"hunter\"}], \"port\": 1}");
    assertThat(Redaction.document(dump).toString())
        .doesNotContain("hunter")
        .doesNotContain("aHVudGVy")
        .contains("\"port\":1");
  }

  @Test
  void headers_that_carry_credentials_lose_their_values() throws Exception {
    var route =
        Json.parse(
            """
            {"set": [{"name": "X-Api-Key", "value": "hunter"}, {"name": "X-Version", "value": "2"}],
             "header": {"key": "Cookie", "value": "hunter"},
             "includeAdditionalHeadersInCheck": {"x-any": "hunter"}}
            """);
    assertThat(Redaction.document(route).toString())
        .doesNotContain("hunter")
        .contains("\"value\":\"2\"", "X-Api-Key", "x-any");
  }

  @Test
  void certificates_stay() throws Exception {
    String pem = "-----BEGIN CERTIFICATE-----\\nabcd\\n-----END CERTIFICATE-----";
    assertThat(Redaction.document(Json.parse("{\"pem\": \"" + pem + "\"}")).toString())
        .contains("abcd");
  }
}
