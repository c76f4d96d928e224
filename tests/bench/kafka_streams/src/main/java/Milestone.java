import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Map;
import java.util.TreeMap;

/** What is known of one milestone; amounts in minor units, moments in microseconds. Any order of arrival ends the same. */
final class Milestone {
    /** One assessment: when it was made, and its status. */
    record Assessed(long moment, String status) {}

    final TreeMap<Long, Assessed> assessed = new TreeMap<>(); // by version
    final TreeMap<String, Long> signed = new TreeMap<>(); // by person
    long invoiceVersion = -1;
    String invoiceState = "";
    long invoiced;
    long decided;
    int sequence;

    static long moment(String text) {
        Instant at = OffsetDateTime.parse(text).toInstant();
        return at.getEpochSecond() * 1_000_000 + at.getNano() / 1_000;
    }

    void learn(String type, long moment, JsonNode data) {
        switch (type) {
            case "milepost.milestone.assessed.v1" ->
                assessed.put(data.get("version").longValue(), new Assessed(moment, data.get("status").textValue()));
            case "milepost.sign_off.given.v1" ->
                signed.merge(data.get("by").textValue(), moment(data.get("signed_at").textValue()), Math::max);
            case "milepost.invoice.received.v1" -> {
                long version = data.get("version").longValue();
                if (version > invoiceVersion) {
                    invoiceVersion = version;
                    invoiceState = data.get("state").textValue();
                    invoiced = new BigDecimal(data.get("net").get("amount").textValue()).movePointRight(2).longValueExact();
                }
            }
            default -> { }
        }
    }

    /** Met, signed since it last went back, and invoiced within value. */
    long allowed(long value) {
        long back = 0;
        String last = "";
        for (Assessed a : assessed.values()) {
            if (last.equals("met") && !a.status.equals("met")) {
                back = a.moment;
            }
            last = a.status;
        }
        final long since = back;
        boolean open = invoiceState.equals("open") || invoiceState.equals("paid");
        boolean fits = open && invoiced > 0 && invoiced <= value;
        return last.equals("met") && fits && signed.values().stream().anyMatch(when -> when > since) ? invoiced : 0;
    }

    static Milestone read(byte[] raw) throws IOException {
        Milestone known = new Milestone();
        if (raw == null) {
            return known;
        }
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(raw));
        for (int n = in.readInt(); n > 0; n--) {
            known.assessed.put(in.readLong(), new Assessed(in.readLong(), in.readUTF()));
        }
        for (int n = in.readInt(); n > 0; n--) {
            known.signed.put(in.readUTF(), in.readLong());
        }
        known.invoiceVersion = in.readLong();
        known.invoiceState = in.readUTF();
        known.invoiced = in.readLong();
        known.decided = in.readLong();
        known.sequence = in.readInt();
        return known;
    }

    byte[] written() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeInt(assessed.size());
        for (Map.Entry<Long, Assessed> entry : assessed.entrySet()) {
            out.writeLong(entry.getKey());
            out.writeLong(entry.getValue().moment);
            out.writeUTF(entry.getValue().status);
        }
        out.writeInt(signed.size());
        for (Map.Entry<String, Long> entry : signed.entrySet()) {
            out.writeUTF(entry.getKey());
            out.writeLong(entry.getValue());
        }
        out.writeLong(invoiceVersion);
        out.writeUTF(invoiceState);
        out.writeLong(invoiced);
        out.writeLong(decided);
        out.writeInt(sequence);
        return bytes.toByteArray();
    }
}
