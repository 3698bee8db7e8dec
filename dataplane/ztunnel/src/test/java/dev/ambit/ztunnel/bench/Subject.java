package dev.ambit.ztunnel.bench;

import dev.ambit.ztunnel.netns.MeasuredMesh;
import dev.ambit.ztunnel.netns.ZtunnelProgram;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What is measured: a ztunnel, or the network without one.
 *
 * @param program what runs on both nodes, if anything
 * @param carrying the same, with the rights to carry UDP, if it can
 */
record Subject(String name, Optional<ZtunnelProgram> program, Optional<ZtunnelProgram> carrying) {
  static final String NONE = "none";
  static final String AMBIT = "ambit";
  static final String PEER = "peer";

  /** No proxy, Ambit, and the peer where there is one. */
  static List<Subject> all() {
    var none = new Subject(NONE, Optional.empty(), Optional.empty());
    var ambit =
        new Subject(
            AMBIT, Optional.of(ZtunnelProgram.ambit()), Optional.of(ZtunnelProgram.ambitWithUdp()));
    return ZtunnelProgram.peer()
        .map(
            program ->
                List.of(
                    none,
                    ambit,
                    new Subject(PEER, Optional.of(program), ZtunnelProgram.peerWithUdp())))
        .orElse(List.of(none, ambit));
  }

  MeasuredMesh mesh(Path folder) {
    return MeasuredMesh.create(program, log(folder));
  }

  /** What its ztunnels print, access log and all. */
  Path log(Path folder) {
    return folder.resolve("ztunnels-" + name + ".log");
  }
}
