@NullMarked
package dev.ambit.ztunnel.xds;

import org.jspecify.annotations.NullMarked;
