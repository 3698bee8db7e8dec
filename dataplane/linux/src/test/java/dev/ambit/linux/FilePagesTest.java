package dev.ambit.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class FilePagesTest {
  @Test
  void onlyWhatIsUnchangedAndCannotBeWrittenIsReleased() throws Exception {
    var mappings =
        FilePages.parse(
            new BufferedReader(
                new StringReader(
                    """
                    55d0a000-55d0b000 r-xp 00001000 fe:00 42                         /usr/bin/a program
                    Rss:                   4 kB
                    Anonymous:             0 kB
                    VmFlags: rd ex mr mw me
                    7f00a000-7f00c000 r--p 00001000 fe:00 43                         /usr/lib/relocated.so
                    Rss:                   8 kB
                    Anonymous:             4 kB
                    7f10a000-7f10c000 rw-p 00001000 fe:00 43                         /usr/lib/data.so
                    Rss:                   8 kB
                    Anonymous:             0 kB
                    7f20a000-7f20c000 r--s 00000000 fe:00 44                         /usr/lib/modules
                    Rss:                   8 kB
                    Anonymous:             0 kB
                    7f30a000-7f30c000 rw-p 00000000 00:00 0
                    Rss:                   8 kB
                    Anonymous:             8 kB
                    7ffc1000-7ffc3000 r-xp 00000000 00:00 0                          [vdso]
                    Rss:                   8 kB
                    Anonymous:             0 kB
                    """)));

    assertThat(mappings).hasSize(6);
    assertThat(mappings.stream().filter(FilePages.Mapping::isUnchangedFile))
        .extracting(FilePages.Mapping::path)
        .containsExactly("/usr/bin/a program", "/usr/lib/modules");
    assertThat(mappings.getFirst().start()).isEqualTo(0x55d0a000L);
    assertThat(mappings.getFirst().end()).isEqualTo(0x55d0b000L);
  }

  @Test
  void thisProcessGoesOnWithoutThem() throws Exception {
    long before = fileKibibytes();

    assertThat(FilePages.release()).isPositive();

    assertThat(fileKibibytes()).isLessThan(before);
    assertThat(NetworkNamespace.self().inode()).isPositive();
  }

  private static long fileKibibytes() throws Exception {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("RssFile:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }
}
