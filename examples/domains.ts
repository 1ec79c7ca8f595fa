// One question each from finance, law and programming, with near misses that share its words.
import { Reranker } from 'zrank';

const model = process.argv[2] ?? 'models/zrank-small';
const questions = [
  {
    domain: 'finance',
    query: 'why do bond prices fall when interest rates rise',
    documents: [
      'When interest rates rise, new bonds pay more, so older bonds with lower coupons must get cheaper to sell.',
      'The interest rate on savings accounts rose again this year.',
      'Bond prices are quoted as a percentage of the face value.',
    ],
  },
  {
    domain: 'legal',
    query: 'can a landlord keep the deposit for normal wear',
    documents: [
      'A deposit is usually five weeks of rent and is paid to the landlord before moving in.',
      'Faded paint and worn carpets are ordinary wear: the landlord may not take money from the deposit for them.',
      'The landlord must keep the structure of the building in repair.',
    ],
  },
  {
    domain: 'code',
    query: 'undo the last commit but keep the changes',
    documents: [
      'git commit --amend changes the message of the last commit.',
      'git reset --hard HEAD~1 drops the last commit and throws its changes away.',
      'git reset --soft HEAD~1 takes the last commit back and leaves its changes staged.',
    ],
  },
];

await using reranker = await Reranker.load(model);
for (const { domain, query, documents } of questions) {
  console.log(`${domain}: ${query}`);
  for (const { score, document } of await reranker.rank(query, documents, { returnDocuments: true })) {
    console.log(`  ${score.toFixed(4)}  ${document}`);
  }
}
