/** The Helm chart and the examples, as they are rendered and parsed, without a cluster. */
@NullMarked
package dev.ambit.chart;

import org.jspecify.annotations.NullMarked;
