/** The delta discovery engine: generic over resource types, exact about what each stream holds. */
@NullMarked
package dev.ambit.operator.xds;

import org.jspecify.annotations.NullMarked;
