package dev.ambit.k3s;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A section of a guide, and what it tells its reader to do: apply the blocks of language {@code
 * yaml}, and give the commands of the blocks of language {@code console}, which are the lines that
 * begin with {@code $}.
 */
record GuideSection(String title, List<Step> steps) {
  /** One thing to do. */
  sealed interface Step {}

  /**
   * Something to apply.
   *
   * @param stays whether later sections build on it, as a comment before it says; else it goes with
   *     its section's end
   */
  record Manifest(String text, boolean stays) implements Step {}

  /**
   * Something to type.
   *
   * @param output lines of which each must be part of a line of what is printed, with anything in
   *     place of {@code …}
   */
  record Command(String text, List<String> output) implements Step {
    /** The lines that are not in what was printed. */
    List<String> missing(String printed) {
      return output.stream()
          .filter(wanted -> printed.lines().noneMatch(line -> contains(line, wanted)))
          .toList();
    }

    private static boolean contains(String line, String wanted) {
      int at = 0;
      for (var part : wanted.split("…", -1)) {
        int found = line.indexOf(part.strip(), at);
        if (found < 0) {
          return false;
        }
        at = found + part.strip().length();
      }
      return true;
    }
  }

  private static final String STAYS = "<!-- stays -->";

  /** The sections of a Markdown text, the one before the first heading of level 2 first. */
  static List<GuideSection> of(String markdown) {
    var sections = new ArrayList<GuideSection>();
    var steps = new ArrayList<Step>();
    var block = new ArrayList<String>();
    var title = "Beginning";
    String language = null;
    boolean stays = false;
    for (var line : markdown.lines().toList()) {
      if (language != null) {
        if (line.startsWith("```")) {
          steps.addAll(steps(language, block, stays));
          language = null;
          stays = false;
        } else {
          block.add(line);
        }
      } else if (line.startsWith("```")) {
        language = line.substring(3).strip();
        block.clear();
      } else if (line.equals(STAYS)) {
        stays = true;
      } else if (line.startsWith("## ") || line.startsWith("### ")) {
        sections.add(new GuideSection(title, List.copyOf(steps)));
        steps.clear();
        title = line.replaceFirst("#+ ", "");
      }
    }
    sections.add(new GuideSection(title, List.copyOf(steps)));
    return sections;
  }

  private static List<Step> steps(String language, List<String> block, boolean stays) {
    return switch (language) {
      case "yaml" -> List.of(new Manifest(String.join("\n", block), stays));
      case "console" -> commands(block);
      default -> List.of();
    };
  }

  private static List<Step> commands(List<String> block) {
    return Arrays.stream(("\n" + String.join("\n", block)).split("\n\\$ "))
        .filter(command -> !command.isBlank())
        .<Step>map(
            command -> {
              // A line that ends in a backslash goes on in the next.
              var lines = command.replace("\\\n", "").lines().toList();
              return new Command(
                  lines.getFirst(),
                  lines.stream().skip(1).filter(line -> !line.isBlank()).toList());
            })
        .toList();
  }
}
