/** Records with an image: what the pages of groups, organizations and users differ in. */
export const KINDS = {
  groups: {
    title: 'Groups',
    one: 'group',
    heading: 'title',
    image: 'image',
    imageField: { name: 'imageId', label: 'Image' },
    fields: { title: 'Title', name: 'Name' },
    mayAdd: true,
    isChangedBy: ({ creatorId }, userId) => creatorId === userId,
  },
  organizations: {
    title: 'Organizations',
    one: 'organization',
    heading: 'title',
    image: 'image',
    imageField: { name: 'imageId', label: 'Image' },
    fields: { title: 'Title', name: 'Name' },
    mayAdd: true,
    isChangedBy: ({ creatorId }, userId) => creatorId === userId,
  },
  users: {
    title: 'Users',
    one: 'user',
    heading: 'fullName',
    image: 'avatar',
    imageField: { name: 'avatarId', label: 'Picture' },
    fields: { fullName: 'Full name' },
    mayAdd: false,
    isChangedBy: ({ id }, userId) => id === userId,
  },
};
