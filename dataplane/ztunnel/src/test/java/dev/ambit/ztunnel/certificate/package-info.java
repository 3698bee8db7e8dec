@NullMarked
package dev.ambit.ztunnel.certificate;

import org.jspecify.annotations.NullMarked;
