@NullMarked
package dev.ambit.ztunnel.state;

import org.jspecify.annotations.NullMarked;
