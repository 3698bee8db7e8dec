package dev.ambit.ztunnel.hbone;

import static dev.ambit.ztunnel.hbone.Frames.CONTINUATION;
import static dev.ambit.ztunnel.hbone.Frames.DATA;
import static dev.ambit.ztunnel.hbone.Frames.FLAG_ACK;
import static dev.ambit.ztunnel.hbone.Frames.FLAG_END_HEADERS;
import static dev.ambit.ztunnel.hbone.Frames.FLAG_END_STREAM;
import static dev.ambit.ztunnel.hbone.Frames.FLAG_PADDED;
import static dev.ambit.ztunnel.hbone.Frames.FLAG_PRIORITY;
import static dev.ambit.ztunnel.hbone.Frames.GOAWAY;
import static dev.ambit.ztunnel.hbone.Frames.HEADERS;
import static dev.ambit.ztunnel.hbone.Frames.HEAD_LENGTH;
import static dev.ambit.ztunnel.hbone.Frames.PING;
import static dev.ambit.ztunnel.hbone.Frames.PREFACE;
import static dev.ambit.ztunnel.hbone.Frames.PRIORITY;
import static dev.ambit.ztunnel.hbone.Frames.PUSH_PROMISE;
import static dev.ambit.ztunnel.hbone.Frames.RST_STREAM;
import static dev.ambit.ztunnel.hbone.Frames.SETTINGS;
import static dev.ambit.ztunnel.hbone.Frames.SETTING_LENGTH;
import static dev.ambit.ztunnel.hbone.Frames.WINDOW_UPDATE;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.Http2Error;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a byte stream into frames. DATA is handed on in whatever pieces it arrives; the other frames
 * are small, checked for size before anything is kept, and read where they stand unless they arrive
 * in pieces. What is kept of an unfinished frame is on the heap, so nothing is left to release when
 * a connection breaks.
 *
 * <p>A hot path: one loop over a state, no objects for frames.
 */
final class FrameReader {
  /** What the frames mean. */
  interface Sink {
    /** A DATA frame begins; its whole length counts against the windows. */
    void onDataBegin(int streamId, int length) throws HboneException;

    /** Whether the bytes of the DATA frame that has begun are wanted. */
    boolean wantsData();

    void onData(ByteBuf data);

    /** {@code length} bytes of the DATA frame were padding. */
    void onPadding(int length);

    void onDataFinish(boolean endStream) throws HboneException;

    /**
     * @param block valid during the call only
     */
    void onHeaders(int streamId, ByteBuf block, boolean endStream) throws HboneException;

    void onReset(int streamId, long code) throws HboneException;

    /** A SETTINGS frame's first entry comes. */
    void onSettingsBegin() throws HboneException;

    void onSetting(int id, long value) throws HboneException;

    void onSettingsEnd() throws HboneException;

    void onSettingsAck();

    void onPing(long data, boolean ack) throws HboneException;

    void onGoAway(int lastStreamId, long code, String debug) throws HboneException;

    void onWindowUpdate(int streamId, int increment) throws HboneException;

    /** A frame that asks for nothing: PRIORITY, an unknown type, DATA without bytes. */
    void onIdleFrame() throws HboneException;
  }

  private static final int STATE_PREFACE = 0;
  private static final int STATE_HEAD = 1;
  private static final int STATE_PAYLOAD = 2;
  private static final int STATE_PAD_LENGTH = 3;
  private static final int STATE_DATA = 4;
  private static final int STATE_SKIP = 5;

  private static final int MAX_SETTINGS_LENGTH = 128 * SETTING_LENGTH;
  private static final int GOAWAY_FIXED = 8;
  private static final int GOAWAY_DEBUG_KEPT = 256;

  /** Padding and priority that a HEADERS frame may carry besides the block. */
  private static final int HEADERS_OVERHEAD = 1 + 255 + 5;

  private static final int MAX_HEADER_FRAGMENTS = 64;
  private static final int LARGEST_CRUMB = 1024;
  private static final int CRUMBS = 16;

  private final Sink sink;
  private final int maxFrameSize;
  private final int maxHeaderBlock;

  private int state;
  private int prefaceRead;
  private boolean settingsSeen;

  private final byte[] head = new byte[HEAD_LENGTH];
  private int headRead;

  /** Frames that began, a header block's as one. */
  private long begun;

  private int length;
  private int type;
  private int flags;
  private int streamId;

  private byte @Nullable [] payload;
  private int payloadRead;
  private int skipAfterPayload;

  private int dataLeft;
  private int skipLeft;
  private boolean skippingData;

  private byte @Nullable [] headerBlock;
  private int headerBlockStream;
  private boolean headerBlockEndsStream;
  private int headerFragments;

  FrameReader(Sink sink, boolean expectPreface, int maxFrameSize, int maxHeaderBlock) {
    this.sink = sink;
    this.state = expectPreface ? STATE_PREFACE : STATE_HEAD;
    this.maxFrameSize = maxFrameSize;
    this.maxHeaderBlock = maxHeaderBlock;
  }

  /** Reads all of {@code in}, which stays the caller's. */
  void read(ByteBuf in) throws HboneException {
    while (in.isReadable()) {
      switch (state) {
        case STATE_PREFACE -> readPreface(in);
        case STATE_HEAD -> {
          if (readHead(in)) {
            beginFrame(in);
          }
        }
        case STATE_PAYLOAD -> gatherPayload(in);
        case STATE_PAD_LENGTH -> beginPadded(in.readUnsignedByte());
        case STATE_DATA -> {
          int count = Math.min(dataLeft, in.readableBytes());
          dataLeft -= count;
          if (sink.wantsData()) {
            sink.onData(isCrumb(in, count) ? copy(in, count) : in.readRetainedSlice(count));
          } else {
            in.skipBytes(count);
          }
          if (dataLeft == 0) {
            finishData();
          }
        }
        case STATE_SKIP -> {
          int count = Math.min(skipLeft, in.readableBytes());
          in.skipBytes(count);
          skipLeft -= count;
          if (skipLeft == 0) {
            if (skippingData) {
              finishData();
            } else {
              state = STATE_HEAD;
            }
          }
        }
        default -> throw new IllegalStateException("no reader state " + state);
      }
    }
  }

  /** A few bytes that may be kept for long must not keep a whole read's memory with them. */
  private static boolean isCrumb(ByteBuf in, int count) {
    return count < LARGEST_CRUMB && count * CRUMBS < in.capacity();
  }

  private static ByteBuf copy(ByteBuf in, int count) {
    ByteBuf copy = in.alloc().directBuffer(count, count);
    in.readBytes(copy, count);
    return copy;
  }

  /**
   * Zero between frames and within DATA, whose sender is bound by windows; else a number that stays
   * the same while one other frame or header block is incomplete.
   */
  long unfinished() {
    boolean between = state == STATE_HEAD && headRead == 0 && headerBlock == null;
    boolean data = state == STATE_DATA || (state == STATE_SKIP && skippingData);
    return between || data ? 0 : begun + 1;
  }

  private void readPreface(ByteBuf in) throws HboneException {
    while (in.isReadable() && prefaceRead < PREFACE.length) {
      if (in.readByte() != PREFACE[prefaceRead++]) {
        throw new HboneException(Http2Error.PROTOCOL_ERROR, "not an HTTP/2 connection preface");
      }
    }
    if (prefaceRead == PREFACE.length) {
      state = STATE_HEAD;
    }
  }

  private boolean readHead(ByteBuf in) {
    if (headRead == 0 && in.readableBytes() >= HEAD_LENGTH) {
      length = in.readUnsignedMedium();
      type = in.readUnsignedByte();
      flags = in.readUnsignedByte();
      streamId = in.readInt() & 0x7fff_ffff;
      return true;
    }
    int count = Math.min(HEAD_LENGTH - headRead, in.readableBytes());
    in.readBytes(head, headRead, count);
    headRead += count;
    if (headRead < HEAD_LENGTH) {
      return false;
    }
    headRead = 0;
    ByteBuf whole = Unpooled.wrappedBuffer(head);
    length = whole.readUnsignedMedium();
    type = whole.readUnsignedByte();
    flags = whole.readUnsignedByte();
    streamId = whole.readInt() & 0x7fff_ffff;
    return true;
  }

  private boolean has(int flag) {
    return (flags & flag) != 0;
  }

  private void beginFrame(ByteBuf in) throws HboneException {
    if (headerBlock == null) {
      begun++;
    }
    if (length > maxFrameSize) {
      throw frameSize("is " + length + " bytes long, more than the " + maxFrameSize + " allowed");
    }
    if (!settingsSeen && (type != SETTINGS || has(FLAG_ACK))) {
      throw protocol("precedes SETTINGS");
    }
    if (headerBlock != null && (type != CONTINUATION || streamId != headerBlockStream)) {
      throw protocol("interrupts a header block");
    }
    switch (type) {
      case DATA -> beginData();
      case HEADERS -> {
        requireStream();
        if (length > maxHeaderBlock + HEADERS_OVERHEAD) {
          throw new HboneException(Http2Error.ENHANCE_YOUR_CALM, "header block too large");
        }
        beginPayload(in, length);
      }
      case CONTINUATION -> {
        if (headerBlock == null) {
          throw protocol("continues no header block");
        }
        if (headerBlock.length + length > maxHeaderBlock
            || ++headerFragments > MAX_HEADER_FRAGMENTS) {
          throw new HboneException(Http2Error.ENHANCE_YOUR_CALM, "header block too large");
        }
        beginPayload(in, length);
      }
      case PRIORITY -> {
        requireStream();
        requireLength(5);
        sink.onIdleFrame();
        beginPayload(in, length);
      }
      case RST_STREAM -> {
        requireStream();
        requireLength(4);
        beginPayload(in, length);
      }
      case SETTINGS -> {
        requireConnection();
        if (length % SETTING_LENGTH != 0 || (has(FLAG_ACK) && length != 0)) {
          throw frameSize("has a length of " + length);
        }
        if (length > MAX_SETTINGS_LENGTH) {
          throw new HboneException(Http2Error.ENHANCE_YOUR_CALM, "too many settings");
        }
        settingsSeen = true;
        beginPayload(in, length);
      }
      case PUSH_PROMISE -> throw protocol("is never welcome");
      case PING -> {
        requireConnection();
        requireLength(8);
        beginPayload(in, length);
      }
      case GOAWAY -> {
        requireConnection();
        if (length < GOAWAY_FIXED) {
          throw frameSize("has a length of " + length);
        }
        beginPayload(in, Math.min(length, GOAWAY_FIXED + GOAWAY_DEBUG_KEPT));
      }
      case WINDOW_UPDATE -> {
        requireLength(4);
        beginPayload(in, length);
      }
      default -> {
        sink.onIdleFrame();
        skip(length);
      }
    }
  }

  /** Reads the first {@code kept} bytes of the payload at once, or piece by piece as they come. */
  private void beginPayload(ByteBuf in, int kept) throws HboneException {
    skipAfterPayload = length - kept;
    if (in.readableBytes() >= kept) {
      int end = in.readerIndex() + kept;
      onPayload(in, kept);
      in.readerIndex(end);
      skip(skipAfterPayload);
    } else {
      payload = new byte[kept];
      payloadRead = 0;
      state = STATE_PAYLOAD;
    }
  }

  private void gatherPayload(ByteBuf in) throws HboneException {
    byte[] kept = payload;
    if (kept == null) {
      throw new IllegalStateException("no payload begun");
    }
    int count = Math.min(kept.length - payloadRead, in.readableBytes());
    in.readBytes(kept, payloadRead, count);
    payloadRead += count;
    if (payloadRead == kept.length) {
      payload = null;
      onPayload(Unpooled.wrappedBuffer(kept), kept.length);
      skip(skipAfterPayload);
    }
  }

  private void skip(int count) {
    skipLeft = count;
    skippingData = false;
    state = count > 0 ? STATE_SKIP : STATE_HEAD;
  }

  /** Reads a payload of {@code kept} bytes that lies at {@code in}'s reader index. */
  private void onPayload(ByteBuf in, int kept) throws HboneException {
    switch (type) {
      case HEADERS -> onHeaders(in, kept);
      case CONTINUATION -> onContinuation(in, kept);
      case RST_STREAM -> sink.onReset(streamId, in.readUnsignedInt());
      case SETTINGS -> {
        if (has(FLAG_ACK)) {
          sink.onSettingsAck();
        } else {
          sink.onSettingsBegin();
          for (int i = 0; i < kept; i += SETTING_LENGTH) {
            int id = in.readUnsignedShort();
            sink.onSetting(id, in.readUnsignedInt());
          }
          sink.onSettingsEnd();
        }
      }
      case PING -> sink.onPing(in.readLong(), has(FLAG_ACK));
      case GOAWAY -> {
        int lastStreamId = in.readInt() & 0x7fff_ffff;
        long code = in.readUnsignedInt();
        sink.onGoAway(lastStreamId, code, debugText(in, kept - GOAWAY_FIXED));
      }
      case WINDOW_UPDATE -> sink.onWindowUpdate(streamId, in.readInt() & 0x7fff_ffff);
      default -> {}
    }
  }

  /** What a peer says when it goes away, as far as it is safe to log. */
  private static String debugText(ByteBuf in, int count) {
    StringBuilder text = new StringBuilder(count);
    for (int i = 0; i < count; i++) {
      byte b = in.readByte();
      text.append(b >= ' ' && b <= '~' ? (char) b : '?');
    }
    return text.toString();
  }

  private void onHeaders(ByteBuf in, int kept) throws HboneException {
    int count = kept;
    int padding = 0;
    if (has(FLAG_PADDED)) {
      if (count < 1) {
        throw frameSize("has no padding length");
      }
      padding = in.readUnsignedByte();
      count--;
    }
    if (has(FLAG_PRIORITY)) {
      if (count < 5) {
        throw frameSize("has no priority");
      }
      in.skipBytes(5);
      count -= 5;
    }
    if (padding > count) {
      throw protocol("has more padding than payload");
    }
    count -= padding;
    if (has(FLAG_END_HEADERS)) {
      sink.onHeaders(streamId, in.slice(in.readerIndex(), count), has(FLAG_END_STREAM));
    } else {
      byte[] fragment = new byte[count];
      in.readBytes(fragment);
      headerBlock = fragment;
      headerBlockStream = streamId;
      headerBlockEndsStream = has(FLAG_END_STREAM);
      headerFragments = 1;
    }
  }

  private void onContinuation(ByteBuf in, int kept) throws HboneException {
    byte[] before = headerBlock;
    if (before == null) {
      throw new IllegalStateException("no header block begun");
    }
    byte[] joined = Arrays.copyOf(before, before.length + kept);
    in.readBytes(joined, before.length, kept);
    if (has(FLAG_END_HEADERS)) {
      headerBlock = null;
      sink.onHeaders(headerBlockStream, Unpooled.wrappedBuffer(joined), headerBlockEndsStream);
    } else {
      headerBlock = joined;
    }
  }

  private void beginData() throws HboneException {
    requireStream();
    boolean padded = has(FLAG_PADDED);
    if (padded && length == 0) {
      throw frameSize("has no padding length");
    }
    sink.onDataBegin(streamId, length);
    dataLeft = length;
    skipLeft = 0;
    if (padded) {
      state = STATE_PAD_LENGTH;
    } else if (length > 0) {
      state = STATE_DATA;
    } else {
      if (!has(FLAG_END_STREAM)) {
        sink.onIdleFrame();
      }
      finishData();
    }
  }

  private void beginPadded(int padding) throws HboneException {
    if (padding >= length) {
      throw protocol("has more padding than payload");
    }
    sink.onPadding(1 + padding);
    dataLeft = length - 1 - padding;
    skipLeft = padding;
    if (dataLeft > 0) {
      state = STATE_DATA;
    } else {
      if (!has(FLAG_END_STREAM)) {
        sink.onIdleFrame();
      }
      finishData();
    }
  }

  /** The DATA frame's bytes are through; its padding may still come. */
  private void finishData() throws HboneException {
    if (skipLeft > 0) {
      skippingData = true;
      state = STATE_SKIP;
      return;
    }
    state = STATE_HEAD;
    sink.onDataFinish(has(FLAG_END_STREAM));
  }

  private void requireStream() throws HboneException {
    if (streamId == 0) {
      throw protocol("needs a stream");
    }
  }

  private void requireConnection() throws HboneException {
    if (streamId != 0) {
      throw protocol("is for the connection, not for a stream");
    }
  }

  private void requireLength(int wanted) throws HboneException {
    if (length != wanted) {
      throw frameSize("has a length of " + length + ", not " + wanted);
    }
  }

  private HboneException protocol(String what) {
    return new HboneException(Http2Error.PROTOCOL_ERROR, describe(what));
  }

  private HboneException frameSize(String what) {
    return new HboneException(Http2Error.FRAME_SIZE_ERROR, describe(what));
  }

  private String describe(String what) {
    return "frame of type " + type + " on stream " + streamId + " " + what;
  }
}
