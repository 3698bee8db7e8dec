@NullMarked
package dev.ambit.linux;

import org.jspecify.annotations.NullMarked;
