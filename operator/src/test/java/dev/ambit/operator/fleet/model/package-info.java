/** Which namespaces of a fleet move next: pure functions over what was observed. */
@NullMarked
package dev.ambit.operator.fleet.model;

import org.jspecify.annotations.NullMarked;
