@NullMarked
package dev.ambit.ztunnel.local;

import org.jspecify.annotations.NullMarked;
