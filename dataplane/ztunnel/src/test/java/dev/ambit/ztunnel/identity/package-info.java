@NullMarked
package dev.ambit.ztunnel.identity;

import org.jspecify.annotations.NullMarked;
