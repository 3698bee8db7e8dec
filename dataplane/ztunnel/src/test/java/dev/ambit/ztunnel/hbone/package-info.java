@NullMarked
package dev.ambit.ztunnel.hbone;

import org.jspecify.annotations.NullMarked;
