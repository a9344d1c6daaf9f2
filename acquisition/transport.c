#include "acquisition/transport.h"

#include <assert.h>
#include <string.h>

enum status transport_read(struct transport *transport, uint8_t *bytes, size_t capacity,
                           size_t *size)
{
    return transport->ops->read(transport, bytes, capacity, size);
}

enum status transport_write(struct transport *transport, const uint8_t *bytes, size_t size)
{
    if (!transport->ops->write) {
        return STATUS_REFUSED;
    }
    return transport->ops->write(transport, bytes, size);
}

int transport_descriptor(const struct transport *transport)
{
    return transport->ops->descriptor ? transport->ops->descriptor(transport) : -1;
}

int64_t transport_next_ns(const struct transport *transport)
{
    return transport->ops->next_ns ? transport->ops->next_ns(transport) : INT64_MAX;
}

void transport_close(struct transport *transport)
{
    if (transport) {
        transport->ops->close(transport);
    }
}

size_t transport_packet_encode(uint8_t endpoint, enum transport_packet_status status,
                               const uint8_t *data, size_t size, uint8_t *bytes)
{
    assert(size <= TRANSPORT_PACKET_DATA_MAX);
    bytes[0] = TRANSPORT_PACKET_MARK;
    bytes[1] = endpoint;
    bytes[2] = (uint8_t)status;
    bytes[3] = (uint8_t)size;
    bytes[4] = (uint8_t)(size >> 8);
    if (size > 0) {
        memcpy(bytes + TRANSPORT_PACKET_HEAD_SIZE, data, size);
    }
    return TRANSPORT_PACKET_HEAD_SIZE + size;
}
