BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE bounce (
	edition_id INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	detail TEXT NOT NULL, 
	bounced_at DATETIME NOT NULL, 
	CONSTRAINT pk_bounce PRIMARY KEY (edition_id), 
	CONSTRAINT fk_bounce_edition_id_edition FOREIGN KEY(edition_id) REFERENCES edition (id)
);
INSERT INTO "bounce" VALUES(1,'hard','550 no such address','2026-11-18 10:00:00');
CREATE TABLE delivery (
	edition_id INTEGER NOT NULL, 
	address VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	attempt INTEGER NOT NULL, 
	refusals INTEGER NOT NULL, 
	lease_until INTEGER, 
	not_before INTEGER, 
	changed_at INTEGER NOT NULL, 
	doubtful INTEGER NOT NULL, 
	last_answer TEXT, 
	CONSTRAINT pk_delivery PRIMARY KEY (edition_id), 
	CONSTRAINT fk_delivery_edition_id_edition FOREIGN KEY(edition_id) REFERENCES edition (id)
);
INSERT INTO "delivery" VALUES(2,'me@example.org','sent',1,0,NULL,NULL,1794988800,0,'250 ok');
INSERT INTO "delivery" VALUES(3,'me@example.org','uncertain',1,0,NULL,NULL,1795075200,1,'the connection broke');
CREATE TABLE dump (
	id INTEGER NOT NULL, 
	source VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	content_hash VARCHAR(32) NOT NULL, 
	captured_on DATE, 
	papers INTEGER NOT NULL, 
	new INTEGER NOT NULL, 
	rejected INTEGER NOT NULL, 
	remarks TEXT NOT NULL, 
	ingested_at DATETIME NOT NULL, 
	CONSTRAINT pk_dump PRIMARY KEY (id), 
	CONSTRAINT uq_dump_content_hash UNIQUE (content_hash)
);
INSERT INTO "dump" VALUES(1,'dumps','000_c67476dc93d12765.txt','76519a36b09567b95d3458e870dd9de3',NULL,14,14,0,'','2026-11-18 08:00:00.000000');
INSERT INTO "dump" VALUES(2,'dumps','001_da6a1d657027e734.txt','7f60dbaea476b5ee4d70c72f4e1a2f8b','2025-10-10',12,11,0,'','2026-11-19 08:00:00.000000');
CREATE TABLE edition (
	id INTEGER NOT NULL, 
	subscriber_id INTEGER NOT NULL, 
	local_date INTEGER NOT NULL, 
	composed_at INTEGER NOT NULL, 
	dump_id INTEGER NOT NULL, 
	considered INTEGER NOT NULL, 
	matched INTEGER NOT NULL, 
	cut INTEGER NOT NULL, 
	remarks TEXT NOT NULL, 
	entries BLOB NOT NULL, 
	CONSTRAINT pk_edition PRIMARY KEY (id), 
	CONSTRAINT fk_edition_dump_id_dump FOREIGN KEY(dump_id) REFERENCES dump (id), 
	CONSTRAINT fk_edition_subscriber_id_subscriber FOREIGN KEY(subscriber_id) REFERENCES subscriber (id), 
	CONSTRAINT uq_edition_subscriber_id_local_date UNIQUE (subscriber_id, local_date)
);
INSERT INTO "edition" VALUES(1,1,20775,1794988800,1,14,2,1000,'',X'000A000000000001008808E605');
INSERT INTO "edition" VALUES(2,2,20775,1794988800,1,14,7,1000,'',X'0001000000000009000100020004000A000B00C610C50BB4071C06BA0457040104');
INSERT INTO "edition" VALUES(3,2,20776,1795075200,2,18,3,1000,'',X'00100000000500090000002A0A7E066B05');
CREATE TABLE fetch (
	url VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	etag VARCHAR, 
	last_modified VARCHAR, 
	fetched_at DATETIME, 
	not_before DATETIME NOT NULL, 
	failures INTEGER NOT NULL, 
	error TEXT, 
	CONSTRAINT pk_fetch PRIMARY KEY (url)
);
INSERT INTO "fetch" VALUES('/srv/papers/seeds/000_c67476dc93d12765.txt','dumps','23426-1795258347251189134',NULL,'2026-11-18 08:00:00.000000','2026-11-18 08:00:00.000000',0,NULL);
INSERT INTO "fetch" VALUES('/srv/papers/seeds/001_da6a1d657027e734.txt','dumps','21080-1795258360700515462',NULL,'2026-11-19 08:00:00.000000','2026-11-19 08:00:00.000000',0,NULL);
CREATE TABLE interests_version (
	subscriber_id INTEGER NOT NULL, 
	since DATETIME NOT NULL, 
	hash VARCHAR(32) NOT NULL, 
	body BLOB NOT NULL, 
	CONSTRAINT pk_interests_version PRIMARY KEY (subscriber_id, since), 
	CONSTRAINT fk_interests_version_subscriber_id_subscriber FOREIGN KEY(subscriber_id) REFERENCES subscriber (id)
)
 WITHOUT ROWID

;
INSERT INTO "interests_version" VALUES(1,'2026-11-18 08:00:00.000000','2727fb3b82049c8a457ac49086c34924',X'789C6D8DCB0AC23010457FA5CC7A8469EB03B2F5177425A5043BD4609A9426416BE9BF3B1174E5EE3ECEE52EE0F4C0A040F7EC6200041EB4B1A05CB216215C6FDC252BC002D10CFCF22EC3E7D351C8C0AE6B75144F0755932292B0D3730075212CB1C21AB7B8C37DB322181779E21073B97C4FAD767D92E7E2F77EE7F9E1A72E537FDAE8BD2D52609143B2D16C3E0D346B23817EB6A31E79926D45E28D6B476FF2509544B4BE0187004C1E');
INSERT INTO "interests_version" VALUES(2,'2026-11-18 08:00:00.000000','a9e39aa2f5ef1fe137269c2f2918188f',X'789C8551C16AC3300CFD95E0B3B3B9EB6023B71DD25D5A2865B7518A8995C63491822DD376A1FF3E79B0D18DC22E96F5DE93F42C4F0AED00AA5272680583F5BDAA30F5BD56B1E9C0A55EC849B11FE083300BEB146884FB25A123949A08E8769685314FD5DC54C608E8EC39AAEADDE8997ED073FDB8BD68E5912140E44C4CDF6357FEC42940416D01A71182B05A1DE07CA4E0B2500DB7042BAAB3DBAFBC0894D8E35E6D33D2F4C9C19FBA579B62F416A3121B3F93D736C8452C95D0B6BEF1805CB41EA1E484B9DD6F1BE3BFEA75BD7893B0A4CD8B849E8E65B07828ACB3235BF6B2ABEBE91BB0916ECC095778D3598FF901DC51DA772C10CBFECAFC194543C39818F2AB8FE0335B99BBE78BA483C7DD48B26D693833C65C3E01BAD0A419');
CREATE TABLE mark (
	subscriber_id INTEGER NOT NULL, 
	paper_id INTEGER NOT NULL, 
	verdict VARCHAR NOT NULL, 
	marked_at DATETIME NOT NULL, 
	CONSTRAINT pk_mark PRIMARY KEY (subscriber_id, paper_id), 
	CONSTRAINT fk_mark_subscriber_id_subscriber FOREIGN KEY(subscriber_id) REFERENCES subscriber (id), 
	CONSTRAINT fk_mark_paper_id_paper FOREIGN KEY(paper_id) REFERENCES paper (id)
)
 WITHOUT ROWID

;
INSERT INTO "mark" VALUES(2,1,'more','2026-11-18 09:00:00.000000');
CREATE TABLE paper (
	id INTEGER NOT NULL, 
	uid VARCHAR(20) NOT NULL, 
	first_dump_id INTEGER NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_paper PRIMARY KEY (id), 
	CONSTRAINT fk_paper_first_dump_id_dump FOREIGN KEY(first_dump_id) REFERENCES dump (id), 
	CONSTRAINT uq_paper_uid UNIQUE (uid)
);
INSERT INTO "paper" VALUES(1,'1d6e758313293f3faae7',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(2,'96d029ab05f2be2bc3e8',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(3,'f55053408ce47c8674bb',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(4,'cad61474421752bee410',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(5,'a5832339b348d2aec013',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(6,'7857890b1ab6265ab231',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(7,'34671bf490900abbb3ca',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(8,'8d9a5eb24566608c2baa',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(9,'37f5adae2cea58144a9e',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(10,'bb470df3cabe3c22f71d',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(11,'06a7d6437f477c005fcd',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(12,'490f9a480183b89f6102',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(13,'1aeb165a395206a4a3dd',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(14,'4424dcc3642cd2218b27',1,'2026-11-18 08:00:00.000000');
INSERT INTO "paper" VALUES(15,'8990e36f52a2ac4e6388',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(16,'fb506df7c7ee9c57aa04',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(17,'2fd809b7630147010e5c',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(18,'e30d24f6647ff5fbdad6',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(19,'a4e17e874bfe8cfb242e',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(20,'c85dfdeab34502933873',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(21,'40f2428c3c1961502f02',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(22,'9c8be81869fb0f01a702',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(23,'b9e5843b9ab6a781caf6',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(24,'d27bcd97901d17af641b',2,'2026-11-19 08:00:00.000000');
INSERT INTO "paper" VALUES(25,'f0d585bce9b9778ca015',2,'2026-11-19 08:00:00.000000');
CREATE TABLE paper_key (
	"key" BIGINT NOT NULL, 
	paper_id INTEGER NOT NULL, 
	CONSTRAINT pk_paper_key PRIMARY KEY ("key", paper_id), 
	CONSTRAINT fk_paper_key_paper_id_paper FOREIGN KEY(paper_id) REFERENCES paper (id)
)
 WITHOUT ROWID

;
INSERT INTO "paper_key" VALUES(-8806001229615061999,17);
INSERT INTO "paper_key" VALUES(-8598347942572836515,3);
INSERT INTO "paper_key" VALUES(-8325864523658762392,22);
INSERT INTO "paper_key" VALUES(-8217770581219447942,24);
INSERT INTO "paper_key" VALUES(-7375770137913688452,8);
INSERT INTO "paper_key" VALUES(-7350222659149651002,18);
INSERT INTO "paper_key" VALUES(-5860857716523213248,18);
INSERT INTO "paper_key" VALUES(-5624635027077092788,21);
INSERT INTO "paper_key" VALUES(-4930564369890318293,22);
INSERT INTO "paper_key" VALUES(-4490161414102441377,25);
INSERT INTO "paper_key" VALUES(-3986687479912952538,16);
INSERT INTO "paper_key" VALUES(-3575549374308560649,1);
INSERT INTO "paper_key" VALUES(-3198239801087376102,5);
INSERT INTO "paper_key" VALUES(-3160543423800251048,17);
INSERT INTO "paper_key" VALUES(-3051692488755766421,7);
INSERT INTO "paper_key" VALUES(-3046120876836790508,24);
INSERT INTO "paper_key" VALUES(-2713023682290471573,20);
INSERT INTO "paper_key" VALUES(-2040030361344022599,15);
INSERT INTO "paper_key" VALUES(-1990852022995324655,11);
INSERT INTO "paper_key" VALUES(-1763630108928365405,2);
INSERT INTO "paper_key" VALUES(-1419240195587456972,6);
INSERT INTO "paper_key" VALUES(-1360117318777870147,4);
INSERT INTO "paper_key" VALUES(-1333095804727447857,4);
INSERT INTO "paper_key" VALUES(-1188611907024574465,16);
INSERT INTO "paper_key" VALUES(-1093173291579941698,13);
INSERT INTO "paper_key" VALUES(-234747058281806561,19);
INSERT INTO "paper_key" VALUES(468523419399634173,2);
INSERT INTO "paper_key" VALUES(704106522766322437,10);
INSERT INTO "paper_key" VALUES(964545981842733179,7);
INSERT INTO "paper_key" VALUES(1155704152876147158,15);
INSERT INTO "paper_key" VALUES(1767142603760311804,12);
INSERT INTO "paper_key" VALUES(1988144641892512121,11);
INSERT INTO "paper_key" VALUES(2121265934140104562,21);
INSERT INTO "paper_key" VALUES(2597927126170011702,10);
INSERT INTO "paper_key" VALUES(2645170218763402186,12);
INSERT INTO "paper_key" VALUES(2920284247719342013,9);
INSERT INTO "paper_key" VALUES(2996160870483067973,5);
INSERT INTO "paper_key" VALUES(3420885255613172769,6);
INSERT INTO "paper_key" VALUES(3422886161738919544,14);
INSERT INTO "paper_key" VALUES(3449309410904346408,20);
INSERT INTO "paper_key" VALUES(3721498520475252797,25);
INSERT INTO "paper_key" VALUES(3821835449275418664,8);
INSERT INTO "paper_key" VALUES(3838521114948118924,9);
INSERT INTO "paper_key" VALUES(4792530870299263644,23);
INSERT INTO "paper_key" VALUES(5451254614820131074,19);
INSERT INTO "paper_key" VALUES(6411565836455832920,14);
INSERT INTO "paper_key" VALUES(7754317198888160083,1);
INSERT INTO "paper_key" VALUES(7974674955615219005,23);
INSERT INTO "paper_key" VALUES(8171784621428688998,3);
INSERT INTO "paper_key" VALUES(8885850940637108761,13);
CREATE TABLE pass (
	id INTEGER NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME NOT NULL, 
	outcome JSON NOT NULL, 
	CONSTRAINT pk_pass PRIMARY KEY (id)
);
INSERT INTO "pass" VALUES(1,'2026-11-21 10:52:31.025667','2026-11-21 10:52:31.378057','{"dumps": 1, "new_papers": 14, "rejected": 0, "due": 2, "editions": 2, "nothing_new": 0, "already": 0, "too_few": 0, "too_late": 0, "held": 0, "held_for": [], "sent": 1, "failed": 0, "waiting": 0, "suppressed": 0, "left": 0, "odd": 0, "feeds_changed": 3, "errors": []}');
INSERT INTO "pass" VALUES(2,'2026-11-21 10:52:43.222784','2026-11-21 10:52:43.664000','{"dumps": 1, "new_papers": 11, "rejected": 0, "due": 2, "editions": 1, "nothing_new": 1, "already": 0, "too_few": 0, "too_late": 0, "held": 0, "held_for": [], "sent": 1, "failed": 0, "waiting": 0, "suppressed": 0, "left": 0, "odd": 0, "feeds_changed": 2, "errors": []}');
CREATE TABLE reason (
	edition_id INTEGER NOT NULL, 
	reasons JSON NOT NULL, 
	CONSTRAINT pk_reason PRIMARY KEY (edition_id), 
	CONSTRAINT fk_reason_edition_id_edition FOREIGN KEY(edition_id) REFERENCES edition (id)
);
INSERT INTO "reason" VALUES(1,'[[["language agents", "related words: self, agent, refinement", null, 1290], ["language agents", "agents", "title", 383], ["language agents", "agent", "title", 191], ["language agents", "language", "abstract", 187], ["language agents", "agents", "abstract", 89], ["language agents", "agent", "abstract", 44]], [["language agents", "related words: agent, list, reward", null, 995], ["language agents", "agents", "abstract", 343], ["language agents", "agent", "abstract", 172]]]');
INSERT INTO "reason" VALUES(2,'[[["Parameter-efficient fine-tuning", "related words: context, tuning, system", null, 1706], ["Parameter-efficient fine-tuning", "parameter-efficient fine-tuning", "abstract", 417], ["Parameter-efficient fine-tuning", "fine", "title", 404], ["Parameter-efficient fine-tuning", "fine", "abstract", 396], ["Parameter-efficient fine-tuning", "tuning", "title", 339], ["Parameter-efficient fine-tuning", "tuning", "abstract", 331], ["Parameter-efficient fine-tuning", "parameter", "abstract", 275], ["Parameter-efficient fine-tuning", "efficient", "abstract", 202], ["Reasoning", "related words: involvement, system, LLM", null, 179], ["Reasoning", "compute", "abstract", 45]], [["Reasoning", "related words: self, refinement, agent", null, 1116], ["Parameter-efficient fine-tuning", "related words: self, involvement, enhance", null, 757], ["Reasoning", "reasoning", "abstract", 518], ["Reasoning", "reasoning", "title", 452], ["Parameter-efficient fine-tuning", "adaptation", "abstract", 131], ["Reasoning", "compute", "abstract", 22], ["Parameter-efficient fine-tuning", "efficient", "abstract", 17]], [["Parameter-efficient fine-tuning", "related words: views, self, small", null, 1366], ["Reasoning", "related words: self, number, scale", null, 275], ["Parameter-efficient fine-tuning", "parameter", "abstract", 253], ["Parameter-efficient fine-tuning", "adaptation", "abstract", 78]], [["Parameter-efficient fine-tuning", "related words: term, long, decision", null, 1063], ["Reasoning", "related words: decision, often, market", null, 438], ["Reasoning", "test", "abstract", 63]], [["Reasoning", "related words: solutions, test, code", null, 827], ["Reasoning", "test", "abstract", 230], ["Reasoning", "test", "title", 153]], [["Reasoning", "related words: agent, list, reward", null, 689], ["Parameter-efficient fine-tuning", "related words: system, agent, subset", null, 195], ["Reasoning", "compute", "abstract", 111], ["Parameter-efficient fine-tuning", "efficient", "abstract", 97], ["Parameter-efficient fine-tuning", "adaptation", "abstract", 19]], [["Reasoning", "related words: group, action, sample", null, 541], ["Parameter-efficient fine-tuning", "related words: group, often, action", null, 139], ["Parameter-efficient fine-tuning", "efficient", "title", 120], ["Reasoning", "compute", "title", 112], ["Reasoning", "compute", "abstract", 97], ["Parameter-efficient fine-tuning", "efficient", "abstract", 16]]]');
INSERT INTO "reason" VALUES(3,'[[["Parameter-efficient fine-tuning", "related words: LLM, token, frames", null, 1369], ["Reasoning", "related words: LLM, frames, image", null, 644], ["Parameter-efficient fine-tuning", "efficient", "title", 214], ["Parameter-efficient fine-tuning", "efficient", "abstract", 89], ["Reasoning", "test", "abstract", 73], ["Reasoning", "compute", "abstract", 72], ["Reasoning", "time", "abstract", 72], ["Reasoning", "reasoning", "abstract", 69]], [["Mixture of experts", "related words: clustering, big, embedding", null, 562], ["Parameter-efficient fine-tuning", "related words: embedding, prediction, group", null, 545], ["Reasoning", "related words: system, clustering, solving", null, 202], ["Parameter-efficient fine-tuning", "adaptation", "abstract", 142], ["Mixture of experts", "expert", "abstract", 122], ["Mixture of experts", "experts", "abstract", 61], ["Parameter-efficient fine-tuning", "parameter", "abstract", 28]], [["Parameter-efficient fine-tuning", "related words: LLM, embedding, tuning", null, 978], ["Parameter-efficient fine-tuning", "tuning", "abstract", 205], ["Parameter-efficient fine-tuning", "efficient", "abstract", 125], ["Parameter-efficient fine-tuning", "low", "abstract", 46], ["Parameter-efficient fine-tuning", "adaptation", "abstract", 33]]]');
CREATE TABLE rejection (
	dump_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	place VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	excerpt TEXT NOT NULL, 
	CONSTRAINT pk_rejection PRIMARY KEY (dump_id, position), 
	CONSTRAINT fk_rejection_dump_id_dump FOREIGN KEY(dump_id) REFERENCES dump (id)
);
CREATE TABLE revision (
	paper_id INTEGER NOT NULL, 
	dump_id INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	abstract TEXT NOT NULL, 
	arxiv_id VARCHAR, 
	doi VARCHAR, 
	published_on DATE, 
	facts JSON, 
	CONSTRAINT pk_revision PRIMARY KEY (paper_id, dump_id), 
	CONSTRAINT fk_revision_dump_id_dump FOREIGN KEY(dump_id) REFERENCES dump (id), 
	CONSTRAINT fk_revision_paper_id_paper FOREIGN KEY(paper_id) REFERENCES paper (id)
);
INSERT INTO "revision" VALUES(1,1,'LeMo: Enabling LEss Token Involvement for MOre Context Fine-tuning','The escalating demand for long-context applications has intensified the necessity of extending the LLM context windows. Despite recent fine-tuning approaches successfully expanding context lengths, their high memory footprints, especially for activations, present a critical practical limitation. Current parameter-efficient fine-tuning methods prioritize reducing parameter update overhead over addressing activation memory constraints. Similarly, existing sparsity mechanisms improve computational efficiency but overlook activation memory optimization due to the phenomenon of Shadowy Activation. In this paper, we propose LeMo, the first LLM fine-tuning system that explores and exploits a new token-level sparsity mechanism inherent in long-context scenarios, termed Contextual Token Sparsity. LeMo minimizes redundant token involvement by assessing the informativeness of token embeddings while preserving model accuracy. Specifically, LeMo introduces three key techniques: (1) Token Elimination, dynamically identifying and excluding redundant tokens across varying inputs and layers. (2) Pattern Prediction, utilizing well-trained predictors to approximate token sparsity patterns with minimal overhead. (3) Kernel Optimization, employing permutation-free and segment-based strategies to boost system performance. We implement LeMo as an end-to-end fine-tuning system compatible with various LLM architectures and other optimization techniques. Comprehensive evaluations demonstrate that LeMo reduces memory consumption by up to 1.93x and achieves up to 1.36x speedups, outperforming state-of-the-art fine-tuning systems.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(2,1,'ScatSimCLR: self-supervised contrastive learning with pretext task regularization for small-scale datasets','In this paper, we consider a problem of self-supervised learning for small-scale datasets based on contrastive loss between multiple views of the data, which demonstrates the state-of-the-art performance in classification task. Despite the reported results, such factors as the complexity of training requiring complex architectures, the needed number of views produced by data augmentation, and their impact on the classification accuracy are understudied problems. To establish the role of these factors, we consider an architecture of contrastive loss system such as SimCLR, where baseline model is replaced by geometrically invariant "hand-crafted" network ScatNet with small trainable adapter network and argue that the number of parameters of the whole system and the number of views can be considerably reduced while practically preserving the same classification accuracy. In addition, we investigate the impact of regularization strategies using pretext task learning based on an estimation of parameters of augmentation transform such as rotation and jigsaw permutation for both traditional baseline models and ScatNet based models. Finally, we demonstrate that the proposed architecture with pretext task learning regularization achieves the state-of-the-art classification performance with a smaller number of trainable parameters and with reduced number of views.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(3,1,'Ensembling Portfolio Strategies for Long-Term Investments: A Distribution-Free Preference Framework for Decision-Making and Algorithms','This paper investigates the problem of ensembling multiple strategies for sequential portfolios to outperform individual strategies in terms of long-term wealth. Due to the uncertainty of strategies'' performances in the future market, which are often based on specific models and statistical assumptions, investors often mitigate risk and enhance robustness by combining multiple strategies, akin to common approaches in collective learning prediction. However, the absence of a distribution-free and consistent preference framework complicates decisions of combination due to the ambiguous objective. To address this gap, we introduce a novel framework for decision-making in combining strategies, irrespective of market conditions, by establishing the investor''s preference between decisions and then forming a clear objective. Through this framework, we propose a combinatorial strategy construction, free from statistical assumptions, for any scale of component strategies, even infinite, such that it meets the determined criterion. Finally, we test the proposed strategy along with its accelerated variant and some other multi-strategies. The numerical experiments show results in favor of the proposed strategies, albeit with small tradeoffs in their Sharpe ratios, in which their cumulative wealths eventually exceed those of the best component strategies while the accelerated strategy significantly improves performance.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(4,1,'Analysis of Linear Mode Connectivity via Permutation-Based Weight Matching','Recently, Ainsworth et al. showed that using weight matching (WM) to minimize the L_2 distance in a permutation search of model parameters effectively identifies permutations that satisfy linear mode connectivity (LMC), in which the loss along a linear path between two independently trained models with different seeds remains nearly constant. This paper provides a theoretical analysis of LMC using WM, which is crucial for understanding stochastic gradient descent''s effectiveness and its application in areas like model merging. We first experimentally and theoretically show that permutations found by WM do not significantly reduce the L_2 distance between two models and the occurrence of LMC is not merely due to distance reduction by WM in itself. We then provide theoretical insights showing that permutations can change the directions of the singular vectors, but not the singular values, of the weight matrices in each layer. This finding shows that permutations found by WM mainly align the directions of singular vectors associated with large singular values across models. This alignment brings the singular vectors with large singular values, which determine the model functionality, closer between pre-merged and post-merged models, so that the post-merged model retains functionality similar to the pre-merged models, making it easy to satisfy LMC. Finally, we analyze the difference between WM and straight-through estimator (STE), a dataset-dependent permutation search method, and show that WM outperforms STE, especially when merging three or more models.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(5,1,'B4: Towards Optimal Assessment of Plausible Code Solutions with Plausible Tests','Selecting the best code solution from multiple generated ones is an essential task in code generation, which can be achieved by using some reliable validators (e.g., developer-written test cases) for assistance. Since reliable test cases are not always available and can be expensive to build in practice, researchers propose to automatically generate test cases to assess code solutions. However, when both code solutions and test cases are plausible and not reliable, selecting the best solution becomes challenging. Although some heuristic strategies have been proposed to tackle this problem, they lack a strong theoretical guarantee and it is still an open question whether an optimal selection strategy exists. Our work contributes in two ways. First, we show that within a Bayesian framework, the optimal selection strategy can be defined based on the posterior probability of the observed passing states between solutions and tests. The problem of identifying the best solution is then framed as an integer programming problem. Second, we propose an efficient approach for approximating this optimal (yet uncomputable) strategy, where the approximation error is bounded by the correctness of prior knowledge. We then incorporate effective prior knowledge to tailor code generation tasks. Both theoretical and empirical studies confirm that existing heuristics are limited in selecting the best solutions with plausible test cases. Our proposed approximated optimal strategy B4 significantly surpasses existing heuristics in selecting code solutions generated by large language models (LLMs) with LLM-generated tests, achieving a relative performance improvement by up to 50% over the strongest heuristic and 246% over the random selection in the most challenging scenarios. Our code is publicly available at https://github.com/ZJU-CTAG/B4.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(6,1,'Beating the average: how to generate profit by exploiting the inefficiencies of soccer betting','In economy, markets are denoted as efficient when it is impossible to systematically generate profits which outperform the average. In the past years, the concept has been tested in other domains such as the growing sports betting market. Surprisingly, despite its large size and its level of maturity, sports betting shows traits of inefficiency. The anomalies indicate the existence of strategies which shift betting from a game of chance towards a game of skill. This article shows an example for an inefficiency detected in the German soccer betting TOTO 13er Wette, which is operated by state-run lottery agencies. Gamblers have to guess the outcome (win, draw, loss) of 13 soccer matches listed on a lottery tip. Applying stochastic methods, a recipe is presented to determine hit rates for single match outcomes. More important, the recipe provides the number of lottery tips required to achieve a specific number of strikes (number of correct match forecasts per lottery tip) for any given level of safety. An approximation is derived to cope with large numbers in hypergeometric distributions, valid under certain constraints. Overall, the strategy does lead to returns exceeding the aggregated lottery fees, resulting in moderate, but consistent profits. It is briefly discussed if lessions learned from soccer betting can be transferred back to financial markets, because gamblers and retail investors face similar challenges and opportunities.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(7,1,'Probabilistic Partitive Partitioning (PPP)','Clustering is a NP-hard problem. Thus, no optimal algorithm exists, heuristics are applied to cluster the data. Heuristics can be very resource-intensive, if not applied properly. For substantially large data sets computational efficiencies can be achieved by reducing the input space if a minimal loss of information can be achieved. Clustering algorithms, in general, face two common problems: 1) these converge to different settings with different initial conditions and; 2) the number of clusters has to be arbitrarily decided beforehand. This problem has become critical in the realm of big data. Recently, clustering algorithms have emerged which can speedup computations using parallel processing over the grid but face the aforementioned problems. Goals: Our goals are to find methods to cluster data which: 1) guarantee convergence to the same settings irrespective of the initial conditions; 2) eliminate the need to establish the number of clusters beforehand, and 3) can be applied to cluster large datasets. Methods: We introduce a method that combines probabilistic and combinatorial clustering methods to produce repeatable and compact clusters that are not sensitive to initial conditions. This method harnesses the power of k-means (a combinatorial clustering method) to cluster/partition very large dimensional datasets and uses the Gaussian Mixture Model (a probabilistic clustering method) to validate the k-means partitions. Results: We show that this method produces very compact clusters that are not sensitive to initial conditions. This method can be used to identify the most ''separable'' set in a dataset which increases the ''clusterability'' of a dataset. This method also eliminates the need to specify the number of clusters in advance.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(8,1,'Enhancing Neural Subset Selection: Integrating Background Information into Set Representations','Learning neural subset selection tasks, such as compound selection in AI-aided drug discovery, have become increasingly pivotal across diverse applications. The existing methodologies in the field primarily concentrate on constructing models that capture the relationship between utility function values and subsets within their respective supersets. However, these approaches tend to overlook the valuable information contained within the superset when utilizing neural networks to model set functions. In this work, we address this oversight by adopting a probabilistic perspective. Our theoretical findings demonstrate that when the target value is conditioned on both the input set and subset, it is essential to incorporate an invariant sufficient statistic of the superset into the subset of interest for effective learning. This ensures that the output value remains invariant to permutations of the subset and its corresponding superset, enabling identification of the specific superset from which the subset originated. Motivated by these insights, we propose a simple yet effective information aggregation module designed to merge the representations of subsets and supersets from a permutation invariance perspective. Comprehensive empirical evaluations across diverse tasks and datasets validate the enhanced efficacy of our approach over conventional methods, underscoring the practicality and potency of our proposed strategies in real-world contexts.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(9,1,'Rethinking the "Heatmap + Monte Carlo Tree Search" Paradigm for Solving Large Scale TSP','The Travelling Salesman Problem (TSP) remains a fundamental challenge in combinatorial optimization, inspiring diverse algorithmic strategies. This paper revisits the "heatmap + Monte Carlo Tree Search (MCTS)" paradigm that has recently gained traction for learning-based TSP solutions. Within this framework, heatmaps encode the likelihood of edges forming part of the optimal tour, and MCTS refines this probabilistic guidance to discover optimal solutions. Contemporary approaches have predominantly emphasized the refinement of heatmap generation through sophisticated learning models, inadvertently sidelining the critical role of MCTS. Our extensive empirical analysis reveals two pivotal insights: 1) The configuration of MCTS strategies profoundly influences the solution quality, demanding meticulous tuning to leverage their full potential; 2) Our findings demonstrate that a rudimentary and parameter-free heatmap, derived from the intrinsic k-nearest nature of TSP, can rival or even surpass the performance of complicated heatmaps, with strong generalizability across various scales. Empirical evaluations across various TSP scales underscore the efficacy of our approach, achieving competitive results. These observations challenge the prevailing focus on heatmap sophistication, advocating a reevaluation of the paradigm to harness both components synergistically. Our code is available at: https://github.com/LOGO-CUHKSZ/rethink_mcts_tsp.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(10,1,'SMART: Self-learning Meta-strategy Agent for Reasoning Tasks','Tasks requiring deductive reasoning, especially those involving multiple steps, often demand adaptive strategies such as intermediate generation of rationales or programs, as no single approach is universally optimal. While Language Models (LMs) can enhance their outputs through iterative self-refinement and strategy adjustments, they frequently fail to apply the most effective strategy in their first attempt. This inefficiency raises the question: Can LMs learn to select the optimal strategy in the first attempt, without a need for refinement? To address this challenge, we introduce SMART (Self-learning Meta-strategy Agent for Reasoning Tasks), a novel framework that enables LMs to autonomously learn and select the most effective strategies for various reasoning tasks. We model the strategy selection process as a Markov Decision Process and leverage reinforcement learning-driven continuous self-improvement to allow the model to find the suitable strategy to solve a given task. Unlike traditional self-refinement methods that rely on multiple inference passes or external feedback, SMART allows an LM to internalize the outcomes of its own reasoning processes and adjust its strategy accordingly, aiming for correct solutions on the first attempt. Our experiments across various reasoning datasets and with different model architectures demonstrate that SMART significantly enhances the ability of models to choose optimal strategies without external guidance (+15 points on the GSM8K dataset). By achieving higher accuracy with a single inference pass, SMART not only improves performance but also reduces computational costs for refinement-based strategies, paving the way for more efficient and intelligent reasoning in LMs.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(11,1,'Cascading Reinforcement Learning','Cascading bandits have gained popularity in recent years due to their applicability to recommendation systems and online advertising. In the cascading bandit model, at each timestep, an agent recommends an ordered subset of items (called an item list) from a pool of items, each associated with an unknown attraction probability. Then, the user examines the list, and clicks the first attractive item (if any), and after that, the agent receives a reward. The goal of the agent is to maximize the expected cumulative reward. However, the prior literature on cascading bandits ignores the influences of user states (e.g., historical behaviors) on recommendations and the change of states as the session proceeds. Motivated by this fact, we propose a generalized cascading RL framework, which considers the impact of user states and state transition into decisions. In cascading RL, we need to select items not only with large attraction probabilities but also leading to good successor states. This imposes a huge computational challenge due to the combinatorial action space. To tackle this challenge, we delve into the properties of value functions, and design an oracle BestPerm to efficiently find the optimal item list. Equipped with BestPerm, we develop two algorithms CascadingVI and CascadingBPI, which are both computationally-efficient and sample-efficient, and provide near-optimal regret and sample complexity guarantees. Furthermore, we present experiments to show the improved computational and sample efficiencies of our algorithms compared to straightforward adaptations of existing RL algorithms in practice.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(12,1,'Achieving Sample and Computational Efficient Reinforcement Learning by Action Space Reduction via Grouping','Reinforcement learning often needs to deal with the exponential growth of states and actions when exploring optimal control in high-dimensional spaces (often known as the curse of dimensionality). In this work, we address this issue by learning the inherent structure of action-wise similar MDP to appropriately balance the performance degradation versus sample/computational complexity. In particular, we partition the action spaces into multiple groups based on the similarity in transition distribution and reward function, and build a linear decomposition model to capture the difference between the intra-group transition kernel and the intra-group rewards. Both our theoretical analysis and experiments reveal a surprising and counter-intuitive result: while a more refined grouping strategy can reduce the approximation error caused by treating actions in the same group as identical, it also leads to increased estimation error when the size of samples or the computation resources is limited. This finding highlights the grouping strategy as a new degree of freedom that can be optimized to minimize the overall performance loss. To address this issue, we formulate a general optimization problem for determining the optimal grouping strategy, which strikes a balance between performance loss and sample/computational complexity. We further propose a computationally efficient method for selecting a nearly-optimal grouping strategy, which maintains its computational complexity independent of the size of the action space.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(13,1,'Faster k-Medoids Clustering: Improving the PAM, CLARA, and CLARANS Algorithms','Clustering non-Euclidean data is difficult, and one of the most used algorithms besides hierarchical clustering is the popular algorithm Partitioning Around Medoids (PAM), also simply referred to as k-medoids. In Euclidean geometry the mean-as used in k-means-is a good estimator for the cluster center, but this does not hold for arbitrary dissimilarities. PAM uses the medoid instead, the object with the smallest dissimilarity to all others in the cluster. This notion of centrality can be used with any (dis-)similarity, and thus is of high relevance to many domains such as biology that require the use of Jaccard, Gower, or more complex distances. A key issue with PAM is its high run time cost. We propose modifications to the PAM algorithm to achieve an O(k)-fold speedup in the second SWAP phase of the algorithm, but will still find the same results as the original PAM algorithm. If we slightly relax the choice of swaps performed (at comparable quality), we can further accelerate the algorithm by performing up to k swaps in each iteration. With the substantially faster SWAP, we can now also explore alternative strategies for choosing the initial medoids. We also show how the CLARA and CLARANS algorithms benefit from these modifications. It can easily be combined with earlier approaches to use PAM and CLARA on big data (some of which use PAM as a subroutine, hence can immediately benefit from these improvements), where the performance with high k becomes increasingly important. In experiments on real data with k=100, we observed a 200-fold speedup compared to the original PAM SWAP algorithm, making PAM applicable to larger data sets as long as we can afford to compute a distance matrix, and in particular to higher k (at k=2, the new SWAP was only 1.5 times faster, as the speedup is expected to increase with k).',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(14,1,'Knowledge Graph Embedding by Normalizing Flows','A key to knowledge graph embedding (KGE) is to choose a proper representation space, e.g., point-wise Euclidean space and complex vector space. In this paper, we propose a unified perspective of embedding and introduce uncertainty into KGE from the view of group theory. Our model can incorporate existing models (i.e., generality), ensure the computation is tractable (i.e., efficiency) and enjoy the expressive power of complex random variables (i.e., expressiveness). The core idea is that we embed entities/relations as elements of a symmetric group, i.e., permutations of a set. Permutations of different sets can reflect different properties of embedding. And the group operation of symmetric groups is easy to compute. In specific, we show that the embedding of many existing models, point vectors, can be seen as elements of a symmetric group. To reflect uncertainty, we first embed entities/relations as permutations of a set of random variables. A permutation can transform a simple random variable into a complex random variable for greater expressiveness, called a normalizing flow. We then define scoring functions by measuring the similarity of two normalizing flows, namely NFE. We construct several instantiating models and prove that they are able to learn logical rules. Experimental results demonstrate the effectiveness of introducing uncertainty and our model. The code is available at https://github.com/changyi7231/NFE.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(15,2,'Group Generalized Mean Pooling for Vision Transformer','Vision Transformer (ViT) extracts the final representation from either class token or an average of all patch tokens, following the architecture of Transformer in Natural Language Processing (NLP) or Convolutional Neural Networks (CNNs) in computer vision. However, studies for the best way of aggregating the patch tokens are still limited to average pooling, while widely-used pooling strategies, such as max and GeM pooling, can be considered. Despite their effectiveness, the existing pooling strategies do not consider the architecture of ViT and the channel-wise difference in the activation maps, aggregating the crucial and trivial channels with the same importance. In this paper, we present Group Generalized Mean (GGeM) pooling as a simple yet powerful pooling strategy for ViT. GGeM divides the channels into groups and computes GeM pooling with a shared pooling parameter per group. As ViT groups the channels via a multi-head attention mechanism, grouping the channels by GGeM leads to lower head-wise dependence while amplifying important channels on the activation maps. Exploiting GGeM shows 0.1%p to 0.7%p performance boosts compared to the baselines and achieves state-of-the-art performance for ViT-Base and ViT-Large models in ImageNet-1K classification task. Moreover, GGeM outperforms the existing pooling strategies on image retrieval and multi-modal representation learning tasks, demonstrating the superiority of GGeM for a variety of tasks. GGeM is a simple algorithm in that only a few lines of code are necessary for implementation.',NULL,NULL,'2022-12-08','{"author_count": 7}');
INSERT INTO "revision" VALUES(16,2,'LLMs are Also Effective Embedding Models: An In-depth Overview','Large language models (LLMs) have revolutionized natural language processing by achieving state-of-the-art performance across various tasks. Recently, their effectiveness as embedding models has gained attention, marking a paradigm shift from traditional encoder-only models like ELMo and BERT to decoder-only, large-scale LLMs such as GPT, LLaMA, and Mistral. This survey provides an in-depth overview of this transition, beginning with foundational techniques before the LLM era, followed by LLM-based embedding models through two main strategies to derive embeddings from LLMs. 1) Direct prompting: We mainly discuss the prompt designs and the underlying rationale for deriving competitive embeddings. 2) Data-centric tuning: We cover extensive aspects that affect tuning an embedding model, including model architecture, training objectives, data constructions, etc. Upon the above, we also cover advanced methods, such as handling longer texts, and multilingual and cross-modal data. Furthermore, we discuss factors affecting choices of embedding models, such as performance/efficiency comparisons, dense vs sparse embeddings, pooling strategies, and scaling law. Lastly, the survey highlights the limitations and challenges in adapting LLMs for embeddings, including cross-task embedding quality, trade-offs between efficiency and accuracy, low-resource, long-context, data bias, robustness, etc. This survey serves as a valuable resource for researchers and practitioners by synthesizing current advancements, highlighting key challenges, and offering a comprehensive framework for future work aimed at enhancing the effectiveness and efficiency of LLMs as embedding models.',NULL,NULL,'2024-12-17','{"author_count": 7}');
INSERT INTO "revision" VALUES(17,2,'LeCaRDv2: A Large-Scale Chinese Legal Case Retrieval Dataset','As an important component of intelligent legal systems, legal case retrieval plays a critical role in ensuring judicial justice and fairness. However, the development of legal case retrieval technologies in the Chinese legal system is restricted by three problems in existing datasets: limited data size, narrow definitions of legal relevance, and naive candidate pooling strategies used in data sampling. To alleviate these issues, we introduce LeCaRDv2, a large-scale Legal Case Retrieval Dataset (version 2). It consists of 800 queries and 55,192 candidates extracted from 4.3 million criminal case documents. To the best of our knowledge, LeCaRDv2 is one of the largest Chinese legal case retrieval datasets, providing extensive coverage of criminal charges. Additionally, we enrich the existing relevance criteria by considering three key aspects: characterization, penalty, procedure. This comprehensive criteria enriches the dataset and may provides a more holistic perspective. Furthermore, we propose a two-level candidate set pooling strategy that effectively identify potential candidates for each query case. It''s important to note that all cases in the dataset have been annotated by multiple legal experts specializing in criminal law. Their expertise ensures the accuracy and reliability of the annotations. We evaluate several state-of-the-art retrieval models at LeCaRDv2, demonstrating that there is still significant room for improvement in legal case retrieval. The details of LeCaRDv2 can be found at the anonymous website https://github.com/anonymous1113243/LeCaRDv2.',NULL,NULL,'2023-10-26','{"author_count": 6}');
INSERT INTO "revision" VALUES(18,2,'Graph Neural Networks for Jamming Source Localization','Graph-based learning has emerged as a transformative approach for modeling complex relationships across diverse domains, yet its potential in wireless security remains largely unexplored. In this work, we introduce the first application of graph-based learning for jamming source localization, addressing the imminent threat of jamming attacks in wireless networks. Unlike geometric optimization techniques that struggle under environmental uncertainties and dense interference, we reformulate localization as an inductive graph regression task. Our approach integrates structured node representations that encode local and global signal aggregation, ensuring spatial coherence and adaptive signal fusion. To enhance robustness, we incorporate an attention-based graph neural network that adaptively refines neighborhood influence and introduces a confidence-guided estimation mechanism that dynamically balances learned predictions with domain-informed priors. We evaluate our approach under complex radio frequency environments with varying sampling densities and signal propagation conditions, conducting comprehensive ablation studies on graph construction, feature selection, and pooling strategies. Results demonstrate that our novel graph-based learning framework significantly outperforms established localization baselines, particularly in challenging scenarios with sparse and obfuscated signal information. Code is available at [https://github.com/daniaherzalla/gnn-jamming-source-localization](https://github.com/daniaherzalla/gnn-jamming-source-localization).',NULL,NULL,'2025-06-01','{"author_count": 3}');
INSERT INTO "revision" VALUES(19,2,'Pooling And Attention: What Are Effective Designs For LLm-Based Embedding Models?','The significant advancements of Large Language Models (LLMs) in generative tasks have led to a growing body of work exploring LLM-based embedding models. While these models, employing different pooling and attention strategies, have achieved state-of-the-art performance on public embedding benchmarks, questions still arise about what constitutes an effective design for LLM-based embedding models. However, these models are often trained on different datasets, using different LLM base models or training settings. Moreover, evaluations on public embedding benchmarks often fail to report statistical significance, making it difficult to determine which designs truly contribute to final performance. This complicates the process for practitioners seeking optimal training recipes for LLM-based embedding models. In this study, we conduct a large-scale experiment by training a series of LLM-based embedding models using the same training data and base model but differing in their pooling and attention strategies. The results show that there is no one-size-fits-all solution: while bidirectional attention and an additional trainable pooling layer outperform in text similarity and information retrieval tasks, they do not significantly surpass simpler designs like EOS-last token pooling and default causal attention in clustering and classification tasks. Furthermore, we propose a new pooling strategy, Multi-Layers Trainable Pooling, which transforms the outputs of all hidden layers, rather than just the last layer, using a cross-attention network. This method proves to be statistically superior in text similarity and retrieval tasks compared to existing pooling methods. Overall, this paper sheds light on effective training strategies for LLM-based embedding models.',NULL,NULL,'2024-09-04','{"author_count": 2}');
INSERT INTO "revision" VALUES(20,2,'Hard Negatives or False Negatives: Correcting Pooling Bias in Training Neural Ranking Models','Neural ranking models (NRMs) have become one of the most important techniques in information retrieval (IR). Due to the limitation of relevance labels, the training of NRMs heavily relies on negative sampling over unlabeled data. In general machine learning scenarios, it has shown that training with hard negatives (i.e., samples that are close to positives) could lead to better performance. Surprisingly, we find opposite results from our empirical studies in IR. When sampling top-ranked results (excluding the labeled positives) as negatives from a stronger retriever, the performance of the learned NRM becomes even worse. Based on our investigation, the superficial reason is that there are more false negatives (i.e., unlabeled positives) in the top-ranked results with a stronger retriever, which may hurt the training process; The root is the existence of pooling bias in the dataset constructing process, where annotators only judge and label very few samples selected by some basic retrievers. Therefore, in principle, we can formulate the false negative issue in training NRMs as learning from labeled datasets with pooling bias. To solve this problem, we propose a novel Coupled Estimation Technique (CET) that learns both a relevance model and a selection model simultaneously to correct the pooling bias for training NRMs. Empirical results on three retrieval benchmarks show that NRMs trained with our technique can achieve significant gains on ranking effectiveness against other baseline strategies.',NULL,NULL,'2022-09-12','{"author_count": 6}');
INSERT INTO "revision" VALUES(21,2,'Token-Efficient Long Video Understanding for Multimodal LLMs','Recent advances in video-based multimodal large language models (Video-LLMs) have significantly improved video understanding by processing videos as sequences of image frames. However, many existing methods treat frames independently in the vision backbone, lacking explicit temporal modeling, which limits their ability to capture dynamic patterns and efficiently handle long videos. To address these limitations, we introduce STORM (Spatiotemporal TOken Reduction for Multimodal LLMs), a novel architecture incorporating a dedicated temporal encoder between the image encoder and the LLM. Our temporal encoder leverages the Mamba State Space Model to integrate temporal information into image tokens, generating enriched representations that preserve inter-frame dynamics across the entire video sequence. This enriched encoding not only enhances video reasoning capabilities but also enables effective token reduction strategies, including test-time sampling and training-based temporal and spatial pooling, substantially reducing computational demands on the LLM without sacrificing key temporal information. By integrating these techniques, our approach simultaneously reduces training and inference latency while improving performance, enabling efficient and robust video understanding over extended temporal contexts. Extensive evaluations show that STORM achieves state-of-the-art results across various long video understanding benchmarks (more than 5\% improvement on MLVU and LongVideoBench) while reducing the computation costs by up to 8times and the decoding latency by 2.4-2.9times for the fixed numbers of input frames. Project page is available at https://research.nvidia.com/labs/lpr/storm',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(22,2,'TiC: Exploring Vision Transformer in Convolution','While models derived from Vision Transformers (ViTs) have been phonemically surging, pre-trained models cannot seamlessly adapt to arbitrary resolution images without altering the architecture and configuration, such as sampling the positional encoding, limiting their flexibility for various vision tasks. For instance, the Segment Anything Model (SAM) based on ViT-Huge requires all input images to be resized to 1024times1024. To overcome this limitation, we propose the Multi-Head Self-Attention Convolution (MSA-Conv) that incorporates Self-Attention within generalized convolutions, including standard, dilated, and depthwise ones. Enabling transformers to handle images of varying sizes without retraining or rescaling, the use of MSA-Conv further reduces computational costs compared to global attention in ViT, which grows costly as image size increases. Later, we present the Vision Transformer in Convolution (TiC) as a proof of concept for image classification with MSA-Conv, where two capacity enhancing strategies, namely Multi-Directional Cyclic Shifted Mechanism and Inter-Pooling Mechanism, have been proposed, through establishing long-distance connections between tokens and enlarging the effective receptive field. Extensive experiments have been carried out to validate the overall effectiveness of TiC. Additionally, ablation studies confirm the performance improvement made by MSA-Conv and the two capacity enhancing strategies separately. Note that our proposal aims at studying an alternative to the global attention used in ViT, while MSA-Conv meets our goal by making TiC comparable to state-of-the-art on ImageNet-1K. Code will be released at https://github.com/zs670980918/MSA-Conv.',NULL,NULL,'2023-10-06','{"author_count": 4}');
INSERT INTO "revision" VALUES(23,2,'A Survey on Cost Types, Interaction Schemes, and Annotator Performance Models in Selection Algorithms for Active Learning in Classification','Pool-based active learning (AL) aims to optimize the annotation process (i.e., labeling) as the acquisition of annotations is often time-consuming and therefore expensive. For this purpose, an AL strategy queries annotations intelligently from annotators to train a high-performance classification model at a low annotation cost. Traditional AL strategies operate in an idealized framework. They assume a single, omniscient annotator who never gets tired and charges uniformly regardless of query difficulty. However, in real-world applications, we often face human annotators, e.g., crowd or in-house workers, who make annotation mistakes and can be reluctant to respond if tired or faced with complex queries. Recently, a wide range of novel AL strategies has been proposed to address these issues. They differ in at least one of the following three central aspects from traditional AL: (1) They explicitly consider (multiple) human annotators whose performances can be affected by various factors, such as missing expertise. (2) They generalize the interaction with human annotators by considering different query and annotation types, such as asking an annotator for feedback on an inferred classification rule. (3) They take more complex cost schemes regarding annotations and misclassifications into account. This survey provides an overview of these AL strategies and refers to them as real-world AL. Therefore, we introduce a general real-world AL strategy as part of a learning cycle and use its elements, e.g., the query and annotator selection algorithm, to categorize about 60 real-world AL strategies. Finally, we outline possible directions for future research in the field of AL.',NULL,NULL,'2021-09-23','{"author_count": 4}');
INSERT INTO "revision" VALUES(24,2,'A survey on online active learning','Online active learning is a paradigm in machine learning that aims to select the most informative data points to label from a data stream. The problem of minimizing the cost associated with collecting labeled observations has gained a lot of attention in recent years, particularly in real-world applications where data is only available in an unlabeled form. Annotating each observation can be time-consuming and costly, making it difficult to obtain large amounts of labeled data. To overcome this issue, many active learning strategies have been proposed in the last decades, aiming to select the most informative observations for labeling in order to improve the performance of machine learning models. These approaches can be broadly divided into two categories: static pool-based and stream-based active learning. Pool-based active learning involves selecting a subset of observations from a closed pool of unlabeled data, and it has been the focus of many surveys and literature reviews. However, the growing availability of data streams has led to an increase in the number of approaches that focus on online active learning, which involves continuously selecting and labeling observations as they arrive in a stream. This work aims to provide an overview of the most recently proposed approaches for selecting the most informative observations from data streams in real time. We review the various techniques that have been proposed and discuss their strengths and limitations, as well as the challenges and opportunities that exist in this area of research.',NULL,NULL,'2023-02-17','{"author_count": 2}');
INSERT INTO "revision" VALUES(25,2,'Scalable and Equitable Math Problem Solving Strategy Prediction in Big Educational Data','Understanding a student''s problem-solving strategy can have a significant impact on effective math learning using Intelligent Tutoring Systems (ITSs) and Adaptive Instructional Systems (AISs). For instance, the ITS/AIS can better personalize itself to correct specific misconceptions that are indicated by incorrect strategies, specific problems can be designed to improve strategies and frustration can be minimized by adapting to a student''s natural way of thinking rather than trying to fit a standard strategy for all. While it may be possible for human experts to identify strategies manually in classroom settings with sufficient student interaction, it is not possible to scale this up to big data. Therefore, we leverage advances in Machine Learning and AI methods to perform scalable strategy prediction that is also fair to students at all skill levels. Specifically, we develop an embedding called MVec where we learn a representation based on the mastery of students. We then cluster these embeddings with a non-parametric clustering method where we progressively learn clusters such that we group together instances that have approximately symmetrical strategies. The strategy prediction model is trained on instances sampled from these clusters. This ensures that we train the model over diverse strategies and also that strategies from a particular group do not bias the DNN model, thus allowing it to optimize its parameters over all groups. Using real world large-scale student interaction datasets from MATHia, we implement our approach using transformers and Node2Vec for learning the mastery embeddings and LSTMs for predicting strategies. We show that our approach can scale up to achieve high accuracy by training on a small sample of a large dataset and also has predictive equality, i.e., it can predict strategies equally well for learners at diverse skill levels.',NULL,NULL,NULL,NULL);
INSERT INTO "revision" VALUES(3,2,'Ensembling Portfolio Strategies for Long-Term Investments: A Distribution-Free Preference Framework for Decision-Making and Algorithms','This paper investigates the problem of ensembling multiple strategies for sequential portfolios to outperform individual strategies in terms of long-term wealth. Due to the uncertainty of strategies'' performances in the future market, which are often based on specific models and statistical assumptions, investors often mitigate risk and enhance robustness by combining multiple strategies, akin to common approaches in collective learning prediction. However, the absence of a distribution-free and consistent preference framework complicates decisions of combination due to the ambiguous objective. To address this gap, we introduce a novel framework for decision-making in combining strategies, irrespective of market conditions, by establishing the investor''s preference between decisions and then forming a clear objective. Through this framework, we propose a combinatorial strategy construction, free from statistical assumptions, for any scale of component strategies, even infinite, such that it meets the determined criterion. Finally, we test the proposed strategy along with its accelerated variant and some other multi-strategies. The numerical experiments show results in favor of the proposed strategies, albeit with small tradeoffs in their Sharpe ratios, in which their cumulative wealths eventually exceed those of the best component strategies while the accelerated strategy significantly improves performance.',NULL,NULL,'2024-06-05','{"author_count": 1}');
CREATE TABLE sighting (
	dump_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	paper_id INTEGER NOT NULL, 
	place VARCHAR NOT NULL, 
	featured_on DATE, 
	upvotes INTEGER, 
	comments INTEGER, 
	stars INTEGER, 
	late BOOLEAN NOT NULL, 
	said JSON, 
	CONSTRAINT pk_sighting PRIMARY KEY (dump_id, position), 
	CONSTRAINT fk_sighting_dump_id_dump FOREIGN KEY(dump_id) REFERENCES dump (id), 
	CONSTRAINT fk_sighting_paper_id_paper FOREIGN KEY(paper_id) REFERENCES paper (id)
)
 WITHOUT ROWID

;
INSERT INTO "sighting" VALUES(1,0,1,'line 11',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,1,2,'line 15',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,2,3,'line 19',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,3,4,'line 23',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,4,5,'line 27',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,5,6,'line 31',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,6,7,'line 35',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,7,8,'line 39',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,8,9,'line 43',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,9,10,'line 47',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,10,11,'line 51',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,11,12,'line 55',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,12,13,'line 59',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(1,13,14,'line 63',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,0,15,'line 13',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,1,16,'line 21',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,2,17,'line 29',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,3,18,'line 37',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,4,19,'line 45',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,5,20,'line 53',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,6,21,'line 61',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,7,22,'line 65',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,8,23,'line 73',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,9,3,'line 81',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,10,24,'line 89',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "sighting" VALUES(2,11,25,'line 97',NULL,NULL,NULL,NULL,0,NULL);
CREATE TABLE subscriber (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	schedule VARCHAR NOT NULL, 
	next_due_at DATETIME, 
	token_version INTEGER NOT NULL, 
	unsubscribed_at DATETIME, 
	CONSTRAINT pk_subscriber PRIMARY KEY (id), 
	CONSTRAINT uq_subscriber_name UNIQUE (name)
);
INSERT INTO "subscriber" VALUES(1,'agents','UTC 07:30 mon,tue,wed,thu,fri,sat,sun','2026-11-20 07:30:00.000000',1,NULL);
INSERT INTO "subscriber" VALUES(2,'me','Europe/London 07:30 mon,tue,wed,thu,fri','2026-11-20 07:30:00.000000',1,NULL);
CREATE TABLE suppression (
	address VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	detail TEXT NOT NULL, 
	suppressed_at DATETIME NOT NULL, 
	CONSTRAINT pk_suppression PRIMARY KEY (address)
);
INSERT INTO "suppression" VALUES('gone@example.org','asked','','2026-11-21 10:52:40.134303');
CREATE INDEX ix_dump_source_name ON dump (source, name);
CREATE INDEX ix_subscriber_next_due_at ON subscriber (next_due_at);
CREATE INDEX ix_paper_first_seen_at ON paper (first_seen_at);
CREATE INDEX ix_delivery_open ON delivery (edition_id) WHERE (state = 'queued' OR state = 'claimed' OR state = 'sending' OR state = 'uncertain');
CREATE INDEX ix_sighting_paper_id_dump_id ON sighting (paper_id, dump_id);
COMMIT;
