@NullMarked
package dev.ambit.operator.controlplane;

import org.jspecify.annotations.NullMarked;
