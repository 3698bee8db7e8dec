@NullMarked
package dev.ambit.api;

import org.jspecify.annotations.NullMarked;
