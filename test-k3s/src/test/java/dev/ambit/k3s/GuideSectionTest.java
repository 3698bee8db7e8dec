package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class GuideSectionTest {
  @Test
  void manifests_and_commands_are_found_in_their_sections() {
    var sections =
        GuideSection.of(
            """
            # Title
            ```console
            $ first \\
                --more
            $ second
            a … c
            ```
            ## Section
            <!-- stays -->
            ```yaml
            kind: A
            ```
            ```yaml
            kind: B
            ```
            ```
            not to be run
            ```
            """);

    assertThat(sections).extracting(GuideSection::title).containsExactly("Beginning", "Section");
    assertThat(sections.getFirst().steps())
        .containsExactly(
            new GuideSection.Command("first     --more", java.util.List.of()),
            new GuideSection.Command("second", java.util.List.of("a … c")));
    assertThat(sections.getLast().steps())
        .containsExactly(
            new GuideSection.Manifest("kind: A", true),
            new GuideSection.Manifest("kind: B", false));
  }

  @Test
  void each_shown_line_must_be_part_of_a_printed_one() {
    var command = new GuideSection.Command("x", java.util.List.of("a … c", "True"));

    assertThat(command.missing("say a, b and c\nTrue\n")).isEmpty();
    assertThat(command.missing("c, b and a\nTrue\n")).containsExactly("a … c");
  }
}
