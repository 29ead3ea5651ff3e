/* openssl-exponentiation BITS TIMES: nanoseconds of the processor for one exponentiation in ffdhe3072 with an exponent
   of so many bits, by OpenSSL's constant-time function, the mean of so many. */

#include <openssl/bn.h>
#include <openssl/dh.h>
#include <openssl/obj_mac.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int count, char **arguments)
{
	if (count != 3)
		return 2;
	int bits = atoi(arguments[1]), times = atoi(arguments[2]);
	const BIGNUM *p, *g;
	DH *group = DH_new_by_nid(NID_ffdhe3072);
	BN_CTX *context = BN_CTX_new();
	BIGNUM *exponent = BN_new(), *base = BN_new(), *result = BN_new();
	BN_MONT_CTX *montgomery = BN_MONT_CTX_new();
	struct timespec begun, ended;

	if (!group || !context || !exponent || !base || !result || !montgomery || times < 1)
		return 1;
	DH_get0_pqg(group, &p, NULL, &g);
	if (!BN_MONT_CTX_set(montgomery, p, context) || !BN_rand_range(base, p))
		return 1;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
	for (int i = 0; i < times; i++) {
		if (!BN_rand(exponent, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY))
			return 1;
		if (!BN_mod_exp_mont_consttime(result, base, exponent, p, context, montgomery))
			return 1;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
	double took = (ended.tv_sec - begun.tv_sec) * 1e9 + (ended.tv_nsec - begun.tv_nsec);
	printf("%.0f\n", took / times);
	return 0;
}
