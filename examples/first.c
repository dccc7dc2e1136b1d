/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <uma.h>

struct node {
	struct node *next;
	double value;
};

int
main(void)
{
	uma_zone_t zone = uma_zcreate("node", sizeof(struct node), NULL, NULL,
	    NULL, NULL, UMA_ALIGNOF(struct node), 0);
	struct node *node, *list = NULL;

	printf("limit:  %d\n", uma_zone_set_max(zone, 1000));
	while ((node = uma_zalloc(zone, M_NOWAIT)) != NULL)
		node->next = list, list = node;
	printf("in use: %d\n", uma_zone_get_cur(zone));
	while ((node = list) != NULL) {
		list = node->next;
		uma_zfree(zone, node);
	}
	printf("in use: %d\n", uma_zone_get_cur(zone));
	uma_zdestroy(zone);
}
