@NullMarked
package dev.ambit.capture;

import org.jspecify.annotations.NullMarked;
