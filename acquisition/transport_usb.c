#include "acquisition/transport.h"

#include "base/log.h"

const struct transport_usb_profile transport_usb_cdc = {
    .kind = TRANSPORT_USB_CDC, .transfer_size = 4096, .transfer_count = 8};

enum status transport_usb_open(const char *address,
                               const struct transport_usb_profile *profile,
                               struct transport **out)
{
    (void)profile;
    (void)out;
    log_error("usb:%s: not built yet", address);
    return STATUS_DEVICE;
}

bool transport_usb_is_present(const char *address)
{
    (void)address;
    return false;
}

enum status transport_usb_list(struct usb_device_info *devices, size_t capacity,
                               size_t *count)
{
    (void)devices;
    (void)capacity;
    *count = 0;
    return STATUS_OK;
}
