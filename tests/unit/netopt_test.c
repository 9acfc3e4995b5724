/* SPDX-License-Identifier: BSD-2-Clause */
#include "netopt.h"			/* before check.h, which has a macro fail() */

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct vm_config cfg;
static struct error error;
static char text[2048];

static int add(const char *word)
{
	memset(&error, 0, sizeof(error));
	strcpy(text, word);
	return netopt_add(&cfg, text, &error);
}

static int one(const char *word)
{
	cfg = (struct vm_config){ 0 };
	return add(word);
}

START_TEST(user_defaults)
{
	const struct nic_config *nic = &cfg.nics[0];

	ck_assert_int_eq(one("user"), 0);
	ck_assert_uint_eq(cfg.nnics, 1);
	ck_assert_int_eq(nic->model, NIC_VIRTIO);
	ck_assert_mem_eq(nic->mac, "\x52\x54\x00\x12\x34\x56", 6);
	ck_assert_uint_eq(nic->mtu, 0);
	ck_assert_int_eq(nic->net.kind, HOST_NET_USER);
	ck_assert_uint_eq(nic->net.net, 0x0a000200);
	ck_assert_uint_eq(nic->net.mask, 0xffffff00);
	ck_assert_uint_eq(nic->net.host, 0x0a000202);
	ck_assert_uint_eq(nic->net.dns, 0x0a000203);
	ck_assert_uint_eq(nic->net.dhcp, 0x0a00020f);
	ck_assert_uint_eq(nic->net.mtu, 1500);
	ck_assert_uint_eq(nic->net.nforwards, 0);
	ck_assert(!nic->net.restricted);
	ck_assert_int_eq(one("none"), 0);
	ck_assert_uint_eq(cfg.nnics, 0);
}
END_TEST

START_TEST(every_setting)
{
	const struct nic_config *nic = &cfg.nics[0];

	ck_assert_int_eq(one("user,model=ne2000-isa,mac=02:00:00:AB:cd:0f,port=0x320,irq=5,"
			     "net=192.168.7.0/26,host=192.168.7.1,dns=192.168.7.2,"
			     "dhcpstart=192.168.7.33,restrict=on,mtu=9000,"
			     "hostfwd=tcp::2222-:22,hostfwd=udp:0.0.0.0:53-192.168.7.40:5353"), 0);
	ck_assert_int_eq(nic->model, NIC_NE2000_ISA);
	ck_assert_mem_eq(nic->mac, "\x02\x00\x00\xab\xcd\x0f", 6);
	ck_assert_uint_eq(nic->port, 0x320);
	ck_assert_uint_eq(nic->irq, 5);
	ck_assert_uint_eq(nic->mtu, 9000);
	ck_assert_uint_eq(nic->net.mtu, 9000);
	ck_assert_uint_eq(nic->net.net, 0xc0a80700);
	ck_assert_uint_eq(nic->net.mask, 0xffffffc0);
	ck_assert_uint_eq(nic->net.host, 0xc0a80701);
	ck_assert_uint_eq(nic->net.dns, 0xc0a80702);
	ck_assert_uint_eq(nic->net.dhcp, 0xc0a80721);
	ck_assert(nic->net.restricted);
	ck_assert_uint_eq(nic->net.nforwards, 2);
	ck_assert(!nic->net.forwards[0].udp);
	ck_assert_uint_eq(nic->net.forwards[0].host_addr, 0x7f000001);
	ck_assert_uint_eq(nic->net.forwards[0].host_port, 2222);
	ck_assert_uint_eq(nic->net.forwards[0].guest_addr, 0);
	ck_assert_uint_eq(nic->net.forwards[0].guest_port, 22);
	ck_assert(nic->net.forwards[1].udp);
	ck_assert_uint_eq(nic->net.forwards[1].host_addr, 0);
	ck_assert_uint_eq(nic->net.forwards[1].guest_addr, 0xc0a80728);
	ck_assert_uint_eq(nic->net.forwards[1].guest_port, 5353);
}
END_TEST

START_TEST(other_back_ends)
{
	const struct host_net_config *net = &cfg.nics[0].net;

	ck_assert_int_eq(one("tap:tap0,model=rtl8139"), 0);
	ck_assert_int_eq(net->kind, HOST_NET_TAP);
	ck_assert_str_eq(net->where, "tap0");
	ck_assert_int_eq(cfg.nics[0].model, NIC_RTL8139);
	ck_assert_int_eq(one("socket:/tmp/cable"), 0);
	ck_assert_int_eq(net->kind, HOST_NET_SOCKET);
	ck_assert_str_eq(net->where, "/tmp/cable");
	ck_assert_int_eq(one("udp::5000-10.1.2.3:5001,model=ne2000"), 0);
	ck_assert_int_eq(net->kind, HOST_NET_UDP);
	ck_assert_uint_eq(net->local_addr, 0x7f000001);
	ck_assert_uint_eq(net->local_port, 5000);
	ck_assert_uint_eq(net->remote_addr, 0x0a010203);
	ck_assert_uint_eq(net->remote_port, 5001);
}
END_TEST

START_TEST(several_cards)
{
	cfg = (struct vm_config){ 0 };
	for (unsigned i = 0; i < VM_MAX_NICS; i++) {
		ck_assert_int_eq(add("user"), 0);
		ck_assert_uint_eq(cfg.nics[i].mac[5], 0x56 + i);
	}
	ck_assert_int_eq(add("user"), -1);
	ck_assert_int_eq(error.status, ST_USAGE);
	ck_assert_int_eq(one("user,model=ne2000-isa"), 0);
	ck_assert_int_eq(add("user,model=ne2000-isa,irq=10"), -1);	/* the same port */
	ck_assert_ptr_nonnull(strstr(error.text, "0x300"));
	ck_assert_int_eq(add("user,model=ne2000-isa,irq=10,port=0x320"), 0);
}
END_TEST

static const char *const wrong[] = {
	"", "user:", "userx", "slirp", "tap", "tap:", "socket:", "udp:", "udp:1:2", "udp::0-:1",
	"udp::5000-5001", "user,", "user,model", "user,model=", "user,model=e1000", "user,x=1",
	"tap:t,hostfwd=tcp::1-:1", "tap:t,net=10.0.0.0/8", "user,mac=52:54:00:12:34",
	"user,mac=52:54:00:12:34:56:78", "user,mac=53:54:00:12:34:56", "user,mac=52-54-00-12-34-56",
	"user,mac=52:54:00:12:34:5g", "user,port=0x301", "user,port=0x1f0", "user,port=0x3c0",
	"user,port=x", "user,port=0x", "user,irq=2", "user,irq=16", "user,irq=4", "user,irq=-1",
	"user,mtu=100", "user,mtu=65521", "user,net=10.0.2.0", "user,net=10.0.2.0/28",
	"user,net=10.0.2/24", "user,net=10.0.2.256/24", "user,net=10.0.2.0/24x", "user,host=1.2.3",
	"user,host=10.0.3.2", "user,dns=10.0.2.2", "user,dhcpstart=10.0.2.255", "user,restrict=yes",
	"user,hostfwd=", "user,hostfwd=tcp", "user,hostfwd=sctp::1-:1", "user,hostfwd=tcp:1-:1",
	"user,hostfwd=tcp::1-1", "user,hostfwd=tcp::1", "user,hostfwd=tcp::65536-:1",
	"user,hostfwd=tcp::1-:0", "user,hostfwd=tcp:localhost:1-:1", "user,hostfwd=tcp::1-:1x",
};
#define WRONG (sizeof(wrong) / sizeof(wrong[0]))

START_TEST(usage_error)
{
	ck_assert_msg(one(wrong[_i]) == -1, "'%s' was taken", wrong[_i]);
	ck_assert_int_eq(error.status, ST_USAGE);
	ck_assert_ptr_nonnull(strstr(error.text, "--net"));
	ck_assert_uint_eq(cfg.nnics, 0);
}
END_TEST

START_TEST(too_many_forwards)
{
	char word[2048] = "user";

	for (unsigned i = 0; i < HOST_NET_FORWARDS; i++)
		strcat(word, ",hostfwd=tcp::1000-:1");
	ck_assert_int_eq(one(word), 0);
	strcat(word, ",hostfwd=tcp::1000-:1");
	ck_assert_int_eq(one(word), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("netopt");
	TCase *tc = tcase_create("netopt");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_test(tc, user_defaults);
	tcase_add_test(tc, every_setting);
	tcase_add_test(tc, other_back_ends);
	tcase_add_test(tc, several_cards);
	tcase_add_loop_test(tc, usage_error, 0, WRONG);
	tcase_add_test(tc, too_many_forwards);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
