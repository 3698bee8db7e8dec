/** The kinds of the group {@code ambit.dev}, from which their CRDs are generated. */
@NullMarked
package dev.ambit.api;

import org.jspecify.annotations.NullMarked;
