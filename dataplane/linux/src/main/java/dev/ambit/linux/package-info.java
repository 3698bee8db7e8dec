/**
 * System calls that the JDK lacks, through the foreign function API. Nothing outside this package
 * calls native code of its own.
 */
@NullMarked
package dev.ambit.linux;

import org.jspecify.annotations.NullMarked;
