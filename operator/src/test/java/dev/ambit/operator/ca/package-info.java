@NullMarked
package dev.ambit.operator.ca;

import org.jspecify.annotations.NullMarked;
