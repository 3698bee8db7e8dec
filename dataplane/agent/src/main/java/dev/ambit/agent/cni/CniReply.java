package dev.ambit.agent.cni;

import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** What the plugin prints, and whether it then exits with success. */
public record CniReply(boolean success, String json) {
  /** Writes the length of the rest, one byte that is 0 for success, and the JSON text. */
  void write(DataOutputStream out) throws IOException {
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    out.writeInt(text.length + 1);
    out.writeByte(success ? 0 : 1);
    out.write(text);
    out.flush();
  }
}
