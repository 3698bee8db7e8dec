package dev.ambit.ztunnel.dns;

/** What a message of a pod is, as far as the proxy has to know (RFC 1035, section 4). */
sealed interface Message {
  int HEADER = 12;
  int TYPE_A = 1;
  int TYPE_AAAA = 28;

  /** Of no type that is known. */
  int NO_TYPE = -1;

  /** Something that expects an answer with the same id. */
  sealed interface Request extends Message {
    int id();

    /** The type asked for, or {@link #NO_TYPE}. */
    int type();

    /** Where the question ends; {@link #HEADER} where there is none. */
    int questionEnd();
  }

  /**
   * A plain question for one name's addresses, which the proxy may answer.
   *
   * @param name in lower case, without a dot at its end
   * @param payloadLimit bytes that the client takes over UDP, as it says by EDNS; 0 without EDNS
   * @param dnssec it also says that it understands DNSSEC
   */
  record AddressQuestion(
      int id, int type, int questionEnd, String name, int payloadLimit, boolean dnssec)
      implements Request {}

  /** Any other request: another type, class or opcode, or one with more to it. */
  record OtherRequest(int id, int type, int questionEnd) implements Request {}

  /** No request of DNS. */
  record Foreign() implements Message {}
}
