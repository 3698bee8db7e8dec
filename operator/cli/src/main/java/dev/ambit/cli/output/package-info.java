/** Tables, colours and progress for people, JSON and YAML for programs. */
@NullMarked
package dev.ambit.cli.output;

import org.jspecify.annotations.NullMarked;
