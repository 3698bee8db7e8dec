@NullMarked
package dev.ambit.operator.xds;

import org.jspecify.annotations.NullMarked;
