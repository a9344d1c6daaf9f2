#include "acquisition/transport.h"

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
