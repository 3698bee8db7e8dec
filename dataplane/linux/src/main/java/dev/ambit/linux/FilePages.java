package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The parts of files that are mapped into this process and that it has not changed: programs,
 * libraries, archives. What is not touched any more need not stay mapped.
 */
public final class FilePages {
  private static final Path MAPPINGS = Path.of("/proc/self/smaps");
  private static final int MADV_DONTNEED = 4;
  private static final MethodHandle MADVISE =
      Libc.handle("madvise", -1, FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));

  private FilePages() {}

  /**
   * Unmaps all of them. Each page comes back, from the kernel's cache of the file, when it is next
   * touched; those that only the start needed do not.
   *
   * @return how many bytes were mapped
   */
  public static long release() throws IOException {
    long released = 0;
    for (Mapping mapping : unchanged(read())) {
      int result;
      try {
        result =
            (int)
                MADVISE.invokeExact(
                    Libc.state(),
                    MemorySegment.ofAddress(mapping.start()),
                    mapping.end() - mapping.start(),
                    MADV_DONTNEED);
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
      Libc.check("madvise", result);
      released += mapping.resident();
    }
    return released;
  }

  /**
   * A line of the list with what follows it.
   *
   * @param resident bytes of it that are mapped now
   * @param changed bytes of it that are this process's own, and would be lost
   */
  record Mapping(
      long start, long end, String permissions, String path, long resident, long changed) {
    /** Nobody writes there, and nobody has. */
    boolean isUnchangedFile() {
      return path.startsWith("/") && permissions.charAt(1) != 'w' && changed == 0 && resident > 0;
    }
  }

  private static List<Mapping> unchanged(List<Mapping> mappings) {
    return mappings.stream().filter(Mapping::isUnchangedFile).toList();
  }

  private static List<Mapping> read() throws IOException {
    try (var lines = Files.newBufferedReader(MAPPINGS)) {
      return parse(lines);
    }
  }

  /** Reads the form of proc_pid_smaps(5). */
  static List<Mapping> parse(BufferedReader lines) throws IOException {
    var mappings = new ArrayList<Mapping>();
    String header = null;
    long resident = 0;
    long changed = 0;
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.startsWith("Rss:")) {
        resident = kibibytes(line) << 10;
      } else if (line.startsWith("Anonymous:")) {
        changed = kibibytes(line) << 10;
      } else if (Character.isDigit(line.charAt(0)) || Character.isLowerCase(line.charAt(0))) {
        if (header != null) {
          mappings.add(mapping(header, resident, changed));
        }
        header = line;
        resident = 0;
        changed = 0;
      }
    }
    if (header != null) {
      mappings.add(mapping(header, resident, changed));
    }
    return mappings;
  }

  private static long kibibytes(String line) {
    return Long.parseLong(line.replaceAll("\\D", ""));
  }

  /** From a line {@code START-END PERMISSIONS OFFSET DEVICE INODE PATH}. */
  private static Mapping mapping(String header, long resident, long changed) {
    var fields = header.split(" +", 6);
    int dash = fields[0].indexOf('-');
    return new Mapping(
        Long.parseUnsignedLong(fields[0], 0, dash, 16),
        Long.parseUnsignedLong(fields[0], dash + 1, fields[0].length(), 16),
        fields[1],
        fields.length > 5 ? fields[5] : "",
        resident,
        changed);
  }
}
