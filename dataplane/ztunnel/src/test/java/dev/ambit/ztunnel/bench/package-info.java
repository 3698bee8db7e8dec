/**
 * What the ztunnel costs, measured: the same work without a proxy, through Ambit, and through
 * another ztunnel where one is given.
 */
@NullMarked
package dev.ambit.ztunnel.bench;

import org.jspecify.annotations.NullMarked;
